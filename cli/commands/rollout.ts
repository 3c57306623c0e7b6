import type { Command } from "commander";
import { kindNamed } from "../../src/api/registry.js";
import type { Deployment, ReplicaSet } from "../../src/api/kinds/apps.js";
import { IkadaError } from "../../src/base/errors.js";
import { parseCount, timeoutOption } from "../flags.js";
import { formatTable, harmless } from "../output.js";
import { revisionsOf, rolloutState, undoTo, type Revision } from "../rollout.js";
import { fieldManagerDefault, parseTargets, typed, withSession, type Session } from "../session.js";
import { TimeLimit } from "../time-limit.js";

const deployments = kindNamed("deployments");
/** kubectl's, on the Pod template: its change alone makes a new revision. */
const restartAnnotation = "kubectl.kubernetes.io/restartedAt";

/** `ikada rollout status | history | undo | restart | pause | resume` */
export function addRollout(program: Command): void {
  const rollout = program.command("rollout").description("follow, list, take back and hold changes of Deployments");

  rollout
    .command("status")
    .description("wait until the rollout is done")
    .argument("<deployment...>", "deployment/NAME")
    .option("--no-watch", "say how it stands and return")
    .addOption(timeoutOption("10m"))
    .action((words: string[], options: { watch: boolean; timeout: number }, command: Command) =>
      withSession(command, async (session) => {
        const { namespace } = session;
        const names = deploymentNames(words);
        if (options.watch)
          return waitForRollouts(
            session,
            names.map((name) => ({ namespace, name })),
            options.timeout,
          );
        for (const name of names) process.stdout.write(`${rolloutState(await read(session, name)).message}\n`);
      }),
    );

  rollout
    .command("history")
    .description("list the revisions that can be gone back to")
    .argument("<deployment...>", "deployment/NAME")
    .option("--revision <number>", "show the Pod template of one", parseCount)
    .action((words: string[], options: { revision?: number }, command: Command) =>
      withSession(command, async (session) => {
        for (const name of deploymentNames(words)) {
          const deployment = await read(session, name);
          const revisions = await revisionList(session, deployment);
          process.stdout.write(
            options.revision === undefined
              ? historyTable(deployment, revisions)
              : await templateOf(deployment, revisions, options.revision),
          );
        }
      }),
    );

  rollout
    .command("undo")
    .description("go back to the revision before, or to a named one")
    .argument("<deployment...>", "deployment/NAME")
    .option("--to-revision <number>", "a number of `rollout history`", parseCount, 0)
    .action((words: string[], options: { toRevision: number }, command: Command) =>
      withSession(command, async (session) => {
        for (const name of deploymentNames(words)) {
          const revision = await undo(session, name, options.toRevision);
          process.stdout.write(`deployment.apps/${name} rolled back to revision ${revision}\n`);
        }
      }),
    );

  const patched = (verb: string, done: string, description: string, patch: () => object): void => {
    rollout
      .command(verb)
      .description(description)
      .argument("<deployment...>", "deployment/NAME")
      .action((words: string[], _options: object, command: Command) =>
        withSession(command, async ({ client, namespace, signal, deadlineMs }) => {
          const options = { namespace, signal, deadlineMs, fieldManager: fieldManagerDefault };
          for (const name of deploymentNames(words)) {
            const { changed } = await client.deployments.patch(name, { spec: patch() }, options);
            process.stdout.write(`deployment.apps/${name} ${changed ? "" : "already "}${done}\n`);
          }
        }),
      );
  };
  patched("restart", "restarted", "replace all Pods, a few at a time", () => ({
    template: { metadata: { annotations: { [restartAnnotation]: new Date().toISOString() } } },
  }));
  patched("pause", "paused", "let changes wait", () => ({ paused: true }));
  patched("resume", "resumed", "roll waiting changes out", () => ({ paused: null }));
}

function deploymentNames(words: readonly string[]): string[] {
  return parseTargets(words).map(({ kind, name }) => {
    if (kind !== deployments || name === undefined)
      throw new IkadaError("BadRequest", `"${words.join(" ")}": write deployment/NAME`);
    return name;
  });
}

async function read({ client, namespace, signal, deadlineMs }: Session, name: string): Promise<Deployment> {
  return typed<Deployment>(await client.get(deployments, name, { namespace, signal, deadlineMs }));
}

async function revisionList(
  { client, namespace, signal, deadlineMs }: Session,
  deployment: Deployment,
): Promise<Revision[]> {
  const replicaSets: ReplicaSet[] = [];
  for await (const object of client.list(kindNamed("replicasets"), { namespace, signal, deadlineMs }))
    replicaSets.push(typed<ReplicaSet>(object));
  return revisionsOf(deployment, replicaSets);
}

/** Follows several Deployments, one after the other, and prints each step once. */
export async function waitForRollouts(
  session: Session,
  targets: readonly { namespace: string; name: string }[],
  timeoutMs: number,
): Promise<void> {
  using limit = new TimeLimit(timeoutMs, session.signal);
  for (const { namespace, name } of targets) {
    let told = "";
    try {
      for await (const event of session.client.watch(deployments, {
        namespace,
        fieldSelector: `metadata.name=${name}`,
        signal: limit.signal,
      })) {
        if (event.type === "DELETED")
          throw new IkadaError("NotFound", `deployment "${name}" was deleted while its rollout was followed`);
        if (event.type === "BOOKMARK") {
          if (told === "")
            throw new IkadaError("NotFound", `deployments.apps "${name}" not found in namespace ${namespace}`);
          continue;
        }
        const { done, message } = rolloutState(typed<Deployment>(event.object));
        if (message !== told) process.stdout.write(`${message}\n`);
        told = message;
        if (done) break;
      }
    } catch (caught) {
      if (limit.expired) {
        throw new IkadaError(
          "Deadline",
          `deployment "${name}" is not rolled out after ${timeoutMs / 1000} s: ${told}`,
          { hint: `see 'ikada describe deployment ${name}' and 'ikada get pods'` },
          caught,
        );
      }
      throw caught;
    }
  }
}

function historyTable(deployment: Deployment, revisions: readonly Revision[]): string {
  const rows = revisions.map(({ number, changeCause, replicaSet }) => {
    const images = replicaSet.spec.template.spec.containers.map(({ image }) => image).join(",");
    return [String(number), images, changeCause].map(harmless);
  });
  return `deployment.apps/${deployment.metadata.name}\n${formatTable([["REVISION", "IMAGES", "CHANGE-CAUSE"], ...rows])}`;
}

async function templateOf(deployment: Deployment, revisions: readonly Revision[], number: number): Promise<string> {
  const { stringify } = await import("yaml");
  const found = revisions.find((revision) => revision.number === number);
  if (!found)
    throw new IkadaError("NotFound", `unable to find revision ${number} of deployment "${deployment.metadata.name}"`);
  return `deployment.apps/${deployment.metadata.name} with revision #${number}\n${stringify(found.replicaSet.spec.template, { lineWidth: 0 })}`;
}

async function undo(session: Session, name: string, number: number): Promise<number> {
  const { client, namespace, signal, deadlineMs } = session;
  let revision = 0;
  const change = async (deployment: Deployment): Promise<Deployment> => {
    const undone = undoTo(deployment, await revisionList(session, deployment), number);
    ({ revision } = undone);
    return undone.object;
  };
  await client.deployments.modify(name, change, { namespace, signal, deadlineMs, fieldManager: fieldManagerDefault });
  return revision;
}
