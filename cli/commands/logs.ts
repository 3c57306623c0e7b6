import type { Command } from "commander";
import { kindNamed } from "../../src/api/registry.js";
import { formatLabelSelector } from "../../src/api/selector.js";
import type { Deployment } from "../../src/api/kinds/apps.js";
import type { AnyObject } from "../../src/api/object.js";
import { IkadaError } from "../../src/base/errors.js";
import { parseCount, parseSpan } from "../flags.js";
import { harmless } from "../output.js";
import { parseTargets, typed, withSession, type Session } from "../session.js";

interface LogsOptions {
  readonly container?: string;
  readonly follow?: boolean;
  readonly previous?: boolean;
  readonly tail?: number;
  readonly since?: number;
  readonly timestamps?: boolean;
}

/** `ikada logs POD [CONTAINER]` or `ikada logs deployment/NAME [CONTAINER]` (its first Pod), as kubectl has it. */
export function addLogs(program: Command): void {
  program
    .command("logs")
    .description("print what a container wrote")
    .argument("<what>", "POD, pod/NAME or deployment/NAME")
    .argument("[container]", "of this container")
    .option("-c, --container <name>", "the same")
    .option("-f, --follow", "go on")
    .option("-p, --previous", "of the run before the last restart")
    .option("--tail <lines>", "only the last lines", parseCount)
    .option("--since <span>", "only what is younger: 10m", parseSpan)
    .option("--timestamps", "with the time of each line")
    .action((word: string, container: string | undefined, options: LogsOptions, command: Command) =>
      withSession(command, async (session) => {
        const named = options.container ?? container;
        const pod = await podOf(session, word);
        const { client, namespace, signal } = session;
        const chunks = client.logs(pod, {
          namespace,
          follow: options.follow ?? false,
          previous: options.previous ?? false,
          timestamps: options.timestamps ?? false,
          ...(named === undefined ? {} : { container: named }),
          ...(options.tail === undefined ? {} : { tailLines: options.tail }),
          ...(options.since === undefined ? {} : { sinceSeconds: Math.ceil(options.since / 1000) }),
          signal,
        });
        const text = new TextDecoder();
        try {
          for await (const chunk of chunks)
            write(process.stdout.isTTY ? harmless(text.decode(chunk, { stream: true })) : chunk);
        } catch (caught) {
          if (!signal.aborted) throw caught;
        }
      }),
    );
}

function write(chunk: string | Uint8Array): void {
  process.stdout.write(chunk);
}

async function podOf(session: Session, word: string): Promise<string> {
  if (!word.includes("/")) return word;
  const [target] = parseTargets([word]);
  if (target?.name === undefined) throw new IkadaError("BadRequest", "name one Pod or one Deployment");
  if (target.kind === kindNamed("pods")) return target.name;
  const { client, namespace, signal, deadlineMs } = session;
  const owner = await client.get(target.kind, target.name, { namespace, signal, deadlineMs });
  const selector = typed<Deployment>(owner).spec?.selector;
  if (selector === undefined) throw new IkadaError("BadRequest", `${target.kind.plural} have no logs`);
  const pods: AnyObject[] = [];
  for await (const pod of client.list(kindNamed("pods"), {
    namespace,
    labelSelector: formatLabelSelector(selector),
    signal,
    deadlineMs,
  }))
    pods.push(pod);
  const first = pods[0];
  if (!first) throw new IkadaError("NotFound", `${target.kind.singular} "${target.name}" has no Pods`);
  if (pods.length > 1) process.stderr.write(`Found ${pods.length} pods, using pod/${first.metadata.name}\n`);
  return first.metadata.name;
}
