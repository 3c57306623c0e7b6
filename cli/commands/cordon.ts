import type { Command } from "commander";
import type { Node } from "../../src/api/kinds/core.js";
import { kindNamed } from "../../src/api/registry.js";
import { IkadaError } from "../../src/base/errors.js";
import { tryEach } from "../failures.js";
import { dryRunNote, dryRunOption, type DryRun } from "../flags.js";
import { fieldManagerDefault, typed, withSession, type Session } from "../session.js";

/** `ikada cordon NODE`: no new Pods are placed there; those that are there stay. */
export function addCordon(program: Command): void {
  addSwitch(program, "cordon", "keep new Pods off a node; those that are there stay", true);
}

/** `ikada uncordon NODE`: new Pods may be placed there again. */
export function addUncordon(program: Command): void {
  addSwitch(program, "uncordon", "let a node take new Pods again", false);
}

function addSwitch(program: Command, name: string, description: string, unschedulable: boolean): void {
  program
    .command(name)
    .description(description)
    .argument("[node...]", "names of nodes")
    .option("-l, --selector <labels>", "all nodes with these labels")
    .addOption(dryRunOption())
    .action((names: string[], options: NodeChoice, command: Command) =>
      withSession(command, async (session) => {
        await tryEach(await chosenNodes(session, names, options), (node) =>
          setUnschedulable(session, node, unschedulable, options.dryRun),
        );
      }),
    );
}

export interface NodeChoice {
  readonly selector?: string;
  readonly dryRun: DryRun;
}

/** Names from the command line, or of all nodes with the labels. @throws IkadaError BadRequest for both or neither */
export async function chosenNodes(
  { client, signal, deadlineMs }: Session,
  names: readonly string[],
  { selector }: Pick<NodeChoice, "selector">,
): Promise<readonly string[]> {
  const words = names.map((name) => name.replace(/^nodes?\//, ""));
  if (words.length > 0 === (selector !== undefined))
    throw new IkadaError("BadRequest", "name nodes, or choose them by -l LABELS");
  if (selector === undefined) return words;
  const found: string[] = [];
  for await (const { metadata } of client.list(kindNamed("nodes"), { labelSelector: selector, signal, deadlineMs }))
    found.push(metadata.name);
  if (found.length === 0) process.stdout.write("No resources found\n");
  return found;
}

/** Says what it did; nothing is written when it is so already. */
export async function setUnschedulable(
  { client, signal, deadlineMs }: Session,
  name: string,
  unschedulable: boolean,
  dryRun: DryRun,
): Promise<void> {
  const word = unschedulable ? "cordoned" : "uncordoned";
  const node = typed<Node>(await client.get(kindNamed("nodes"), name, { signal, deadlineMs }));
  if ((node.spec.unschedulable ?? false) === unschedulable) {
    process.stdout.write(`node/${name} already ${word}\n`);
    return;
  }
  const patch = { spec: { unschedulable: unschedulable ? true : null } };
  const options = { fieldManager: fieldManagerDefault, dryRun: dryRun === "server", signal, deadlineMs };
  await client.patch(kindNamed("nodes"), name, patch, options);
  process.stdout.write(`node/${name} ${word}${dryRunNote(dryRun)}\n`);
}
