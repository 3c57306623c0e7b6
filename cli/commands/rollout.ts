import type { Command } from "commander";
import { objectName, type KindDefinition } from "../../src/api/kind.js";
import type { AnyObject } from "../../src/api/object.js";
import { kindNamed } from "../../src/api/registry.js";
import { IkadaError } from "../../src/base/errors.js";
import { parseCount, timeoutOption } from "../flags.js";
import { formatTable, harmless } from "../output.js";
import { keeperOf, revisionsOf, rolloutState, undoTo, type Revision, type RolledOut } from "../rollout.js";
import { fieldManagerDefault, parseTargets, shortName, typed, withSession, type Session } from "../session.js";
import { TimeLimit } from "../time-limit.js";

const rolledOut = ["deployments", "statefulsets", "daemonsets"].map(kindNamed);
const holdable = ["deployments"].map(kindNamed);
/** kubectl's, on the Pod template: its change alone makes a new revision. */
const restartAnnotation = "kubectl.kubernetes.io/restartedAt";

/** `ikada rollout status | history | undo | restart | pause | resume` */
export function addRollout(program: Command): void {
  const rollout = program
    .command("rollout")
    .description("follow, list, take back and hold changes of Deployments, StatefulSets and DaemonSets");

  rollout
    .command("status")
    .description("wait until the rollout is done")
    .argument("<what...>", "KIND/NAME")
    .option("--no-watch", "say how it stands and return")
    .addOption(timeoutOption("10m"))
    .action((words: string[], options: { watch: boolean; timeout: number }, command: Command) =>
      withSession(command, async (session) => {
        const { namespace } = session;
        const targets = targetsOf(words);
        if (options.watch) {
          const followed = targets.map((target) => ({ ...target, namespace }));
          return waitForRollouts(session, followed, options.timeout);
        }
        for (const target of targets) process.stdout.write(`${rolloutState(await read(session, target)).message}\n`);
      }),
    );

  rollout
    .command("history")
    .description("list the revisions that can be gone back to")
    .argument("<what...>", "KIND/NAME")
    .option("--revision <number>", "show the Pod template of one", parseCount)
    .action((words: string[], options: { revision?: number }, command: Command) =>
      withSession(command, async (session) => {
        for (const target of targetsOf(words)) {
          const revisions = await revisionList(session, await read(session, target));
          process.stdout.write(
            options.revision === undefined
              ? historyTable(target, revisions)
              : await templateOf(target, revisions, options.revision),
          );
        }
      }),
    );

  rollout
    .command("undo")
    .description("go back to the revision before, or to a named one")
    .argument("<what...>", "KIND/NAME")
    .option("--to-revision <number>", "a number of `rollout history`", parseCount, 0)
    .action((words: string[], options: { toRevision: number }, command: Command) =>
      withSession(command, async (session) => {
        for (const target of targetsOf(words)) {
          const revision = await undo(session, target, options.toRevision);
          process.stdout.write(`${nameOf(target)} rolled back to revision ${revision}\n`);
        }
      }),
    );

  addPatches(rollout);
}

/** Verbs that change one thing of the spec. */
function addPatches(rollout: Command): void {
  const patched = (
    verb: string,
    done: string,
    description: string,
    kinds: readonly KindDefinition[],
    patch: () => object,
  ): void => {
    rollout
      .command(verb)
      .description(description)
      .argument("<what...>", "KIND/NAME")
      .action((words: string[], _options: object, command: Command) =>
        withSession(command, async ({ client, namespace, signal, deadlineMs }) => {
          const options = { namespace, signal, deadlineMs, fieldManager: fieldManagerDefault };
          for (const target of targetsOf(words, kinds)) {
            const { changed } = await client.patch(target.kind, target.name, { spec: patch() }, options);
            process.stdout.write(`${nameOf(target)} ${changed ? "" : "already "}${done}\n`);
          }
        }),
      );
  };
  patched("restart", "restarted", "replace all Pods, a few at a time", rolledOut, () => ({
    template: { metadata: { annotations: { [restartAnnotation]: new Date().toISOString() } } },
  }));
  patched("pause", "paused", "let changes of a Deployment wait", holdable, () => ({ paused: true }));
  patched("resume", "resumed", "roll waiting changes out", holdable, () => ({ paused: null }));
}

interface RolloutTarget {
  readonly kind: KindDefinition;
  readonly name: string;
}

function targetsOf(words: readonly string[], kinds: readonly KindDefinition[] = rolledOut): RolloutTarget[] {
  return parseTargets(words).map(({ kind, name }) => {
    if (!kinds.includes(kind) || name === undefined) {
      const forms = kinds.map(({ singular }) => `${singular}/NAME`).join(" or ");
      throw new IkadaError("BadRequest", `"${words.join(" ")}": write ${forms}`);
    }
    return { kind, name };
  });
}

function nameOf({ kind, name }: RolloutTarget): string {
  return shortName(kind, name);
}

async function read(
  { client, namespace, signal, deadlineMs }: Session,
  { kind, name }: RolloutTarget,
): Promise<RolledOut> {
  return typed<RolledOut>(await client.get(kind, name, { namespace, signal, deadlineMs }));
}

async function revisionList(
  { client, namespace, signal, deadlineMs }: Session,
  object: RolledOut,
): Promise<Revision[]> {
  const keepers: AnyObject[] = [];
  for await (const keeper of client.list(kindNamed(keeperOf(object.kind)), { namespace, signal, deadlineMs }))
    keepers.push(keeper);
  return revisionsOf(object, keepers);
}

/** Follows several rollouts, one after the other, and prints each step once. */
export async function waitForRollouts(
  session: Session,
  targets: readonly (RolloutTarget & { readonly namespace: string })[],
  timeoutMs: number,
): Promise<void> {
  using limit = new TimeLimit(timeoutMs, session.signal);
  for (const target of targets) {
    const { kind, namespace, name } = target;
    const called = `${kind.singular} "${name}"`;
    let told = "";
    try {
      for await (const event of session.client.watch(kind, {
        namespace,
        fieldSelector: `metadata.name=${name}`,
        signal: limit.signal,
      })) {
        if (event.type === "DELETED")
          throw new IkadaError("NotFound", `${called} was deleted while its rollout was followed`);
        if (event.type === "BOOKMARK") {
          if (told === "")
            throw new IkadaError("NotFound", `${objectName(kind, name)} not found in namespace ${namespace}`);
          continue;
        }
        const { done, message } = rolloutState(typed<RolledOut>(event.object));
        if (message !== told) process.stdout.write(`${message}\n`);
        told = message;
        if (done) break;
      }
    } catch (caught) {
      if (limit.expired) {
        throw new IkadaError(
          "Deadline",
          `${called} is not rolled out after ${timeoutMs / 1000} s: ${told}`,
          { hint: `see 'ikada describe ${kind.singular} ${name}' and 'ikada get pods'` },
          caught,
        );
      }
      throw caught;
    }
  }
}

function historyTable(target: RolloutTarget, revisions: readonly Revision[]): string {
  const rows = revisions.map(({ number, changeCause, template }) => {
    const images = template.spec.containers.map(({ image }) => image).join(",");
    return [String(number), images, changeCause].map(harmless);
  });
  return `${nameOf(target)}\n${formatTable([["REVISION", "IMAGES", "CHANGE-CAUSE"], ...rows])}`;
}

async function templateOf(target: RolloutTarget, revisions: readonly Revision[], number: number): Promise<string> {
  const { stringify } = await import("yaml");
  const found = revisions.find((revision) => revision.number === number);
  if (!found)
    throw new IkadaError("NotFound", `unable to find revision ${number} of ${target.kind.singular} "${target.name}"`);
  return `${nameOf(target)} with revision #${number}\n${stringify(found.template, { lineWidth: 0 })}`;
}

async function undo(session: Session, { kind, name }: RolloutTarget, number: number): Promise<number> {
  const { client, namespace, signal, deadlineMs } = session;
  let revision = 0;
  const change = async (live: AnyObject): Promise<AnyObject> => {
    const object = typed<RolledOut>(live);
    const undone = undoTo(object, await revisionList(session, object), number);
    ({ revision } = undone);
    return undone.object as unknown as AnyObject;
  };
  await client.modify(kind, name, change, { namespace, signal, deadlineMs, fieldManager: fieldManagerDefault });
  return revision;
}
