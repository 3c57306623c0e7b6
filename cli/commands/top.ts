import { Option, type Command } from "commander";
import type { ContainerUsage, NodeStats, PodStats, UnreachedNode } from "../../sdk/index.js";
import { IkadaError } from "../../src/base/errors.js";
import { formatTable, harmless } from "../output.js";
import { withSession } from "../session.js";

interface TopOptions {
  readonly headers: boolean;
  readonly sortBy?: "cpu" | "memory";
}

interface TopPodsOptions extends TopOptions {
  readonly selector?: string;
  readonly allNamespaces?: boolean;
  readonly containers?: boolean;
}

/** `ikada top pods | nodes`: what is used now, as the nodes measured it in their last interval. */
export function addTop(program: Command): void {
  const top = program.command("top").description("show what Pods and Nodes use");
  const sortBy = (): Option => new Option("--sort-by <what>", "the largest first").choices(["cpu", "memory"]);

  top
    .command("pods")
    .alias("pod")
    .alias("po")
    .description("processors and memory of Pods")
    .argument("[name]", "of this Pod alone")
    .option("-l, --selector <labels>", "of Pods with these labels")
    .option("-A, --all-namespaces", "of all namespaces")
    .option("--containers", "of each container")
    .option("--no-headers", "without the line of headers")
    .addOption(sortBy())
    .action((name: string | undefined, options: TopPodsOptions, command: Command) =>
      withSession(command, async ({ client, namespace, signal, deadlineMs }) => {
        const { selector, allNamespaces = false, containers = false, headers } = options;
        if (name !== undefined && (allNamespaces || selector !== undefined)) {
          throw new IkadaError("BadRequest", "a name can't be given together with -l or -A");
        }
        const { items, unreached } = await client.access.podStats({
          ...(allNamespaces ? {} : { namespace }),
          ...(name === undefined ? {} : { name }),
          ...(selector === undefined ? {} : { labelSelector: selector }),
          signal,
          deadlineMs,
        });
        const lines = items.flatMap((pod) => podLines(pod, containers));
        const head = [
          ...(allNamespaces ? ["NAMESPACE"] : []),
          "POD",
          ...(containers ? ["CONTAINER"] : []),
          ...usedHead,
        ];
        const rows = sorted(lines, options.sortBy).map(({ names, cpu, memory }) =>
          names
            .slice(allNamespaces ? 0 : 1)
            .map(harmless)
            .concat(formatCpu(cpu), formatMemory(memory)),
        );
        if (rows.length > 0) process.stdout.write(formatTable(headers ? [head, ...rows] : rows));
        else process.stderr.write("No running Pods found.\n");
        warn(unreached);
      }),
    );

  top
    .command("nodes")
    .alias("node")
    .alias("no")
    .description("processors and memory of Nodes")
    .argument("[name]", "of this Node alone")
    .option("--no-headers", "without the line of headers")
    .addOption(sortBy())
    .action((name: string | undefined, options: TopOptions, command: Command) =>
      withSession(command, async ({ client, signal, deadlineMs }) => {
        const { items, unreached } = await client.access.nodeStats({
          ...(name === undefined ? {} : { name }),
          signal,
          deadlineMs,
        });
        const lines = items.map((node) => ({ node, cpu: node.cpuCores, memory: node.memoryBytes }));
        const rows = sorted(lines, options.sortBy).map(({ node }) => nodeRow(node));
        const head = ["NAME", "CPU(cores)", "CPU%", "MEMORY(bytes)", "MEMORY%"];
        if (rows.length > 0) process.stdout.write(formatTable(options.headers ? [head, ...rows] : rows));
        warn(unreached);
      }),
    );
}

const usedHead = ["CPU(cores)", "MEMORY(bytes)"];

interface Line {
  /** Namespace, Pod, and with --containers the container. */
  readonly names: readonly string[];
  readonly cpu: number | undefined;
  readonly memory: number;
}

function podLines({ namespace, name, containers }: PodStats, each: boolean): Line[] {
  if (each) {
    return containers.map((one) => ({
      names: [namespace, name, one.name],
      cpu: one.cpuCores,
      memory: one.memoryBytes,
    }));
  }
  const memory = containers.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
  return [{ names: [namespace, name], cpu: cpuOf(containers), memory }];
}

/** Of a Pod that is just starting nothing is known, rather than too little. */
function cpuOf(containers: readonly ContainerUsage[]): number | undefined {
  let sum = 0;
  for (const { cpuCores } of containers) {
    if (cpuCores === undefined) return undefined;
    sum += cpuCores;
  }
  return sum;
}

function nodeRow(node: NodeStats): string[] {
  const cpuShare = node.cpuCores === undefined ? undefined : node.cpuCores / node.cpuCapacity;
  return [
    harmless(node.name),
    formatCpu(node.cpuCores),
    formatShare(cpuShare),
    formatMemory(node.memoryBytes),
    formatShare(node.memoryBytes / node.memoryCapacity),
  ];
}

function sorted<T extends { readonly cpu: number | undefined; readonly memory: number }>(
  lines: readonly T[],
  by: "cpu" | "memory" | undefined,
): T[] {
  if (by === undefined) return [...lines];
  const amount = (line: T): number => (by === "cpu" ? (line.cpu ?? -1) : line.memory);
  return [...lines].sort((left, right) => amount(right) - amount(left));
}

/** Thousandths of a processor. */
function formatCpu(cores: number | undefined): string {
  return cores === undefined ? "<unknown>" : `${Math.ceil(cores * 1000)}m`;
}

function formatMemory(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)}Mi`;
}

function formatShare(share: number | undefined): string {
  return share === undefined || !Number.isFinite(share) ? "<unknown>" : `${Math.round(share * 100)}%`;
}

function warn(unreached: readonly UnreachedNode[]): void {
  for (const { node, message } of unreached) process.stderr.write(`node ${harmless(node)}: ${harmless(message)}\n`);
}
