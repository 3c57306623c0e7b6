import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import type { Pod } from "../../src/api/kinds/pod.js";
import { kindNamed } from "../../src/api/registry.js";
import { IkadaError } from "../../src/base/errors.js";
import { chooseForDrain, type DrainPermissions } from "../drain-choice.js";
import { tryEach } from "../failures.js";
import { dryRunNote, dryRunOption, parseCount, timeoutOption } from "../flags.js";
import { typed, withSession, type Session } from "../session.js";
import { TimeLimit } from "../time-limit.js";
import { waitUntilGone } from "../wait-until-gone.js";
import { chosenNodes, setUnschedulable, type NodeChoice } from "./cordon.js";

interface DrainOptions extends DrainPermissions, NodeChoice {
  readonly podSelector?: string;
  readonly gracePeriod?: number;
  readonly disableEviction?: boolean;
  readonly timeout: number;
}

/** Between two tries of an eviction that a budget refuses, as kubectl does. */
const retryMs = 5000;
/** Pods of one node that are on their way out at once; their budgets allow fewer as a rule. */
const atOnceMax = 32;

/** `ikada drain NODE`: cordons it, evicts its Pods as their budgets allow, and waits until they are gone. */
export function addDrain(program: Command): void {
  program
    .command("drain")
    .description("move all Pods off a node, as their PodDisruptionBudgets allow, and keep new ones off")
    .argument("[node...]", "names of nodes")
    .option("-l, --selector <labels>", "all nodes with these labels")
    .option("--pod-selector <labels>", "only Pods with these labels")
    .option("--ignore-daemonsets", "leave Pods of DaemonSets")
    .option("--delete-emptydir-data", "evict Pods with an emptyDir too")
    .option("--force", "evict Pods without a controller too; nobody makes them again")
    .option("--grace-period <seconds>", "seconds between SIGTERM and SIGKILL (default: each Pod's own)", parseCount)
    .option("--disable-eviction", "delete instead of evicting: budgets do not count")
    .addOption(dryRunOption())
    .addOption(timeoutOption("5m"))
    .action((names: string[], options: DrainOptions, command: Command) =>
      withSession(command, async (session) => {
        using limit = new TimeLimit(options.timeout, session.signal);
        const nodes = await chosenNodes(session, names, options);
        await tryEach(nodes, async (node) => {
          await setUnschedulable(session, node, true, options.dryRun);
          await drain(session, node, options, limit);
        });
      }),
    );
}

async function drain(session: Session, node: string, options: DrainOptions, limit: TimeLimit): Promise<void> {
  const { evict, skipped, refused } = chooseForDrain(await podsOn(session, node, options), options);
  for (const { pod, why } of skipped) process.stderr.write(`${nameOf(pod)} stays: ${why}\n`);
  if (refused.length > 0)
    throw new IkadaError(
      "BadRequest",
      `node/${node} is cordoned and not drained: ${refused.length} Pods are in the way`,
      {
        hint: refused.map(({ pod, why }) => `${nameOf(pod)}: ${why}`).join("\n  "),
      },
    );
  const waiting = [...evict];
  const failed: unknown[] = [];
  const work = async (): Promise<void> => {
    for (let pod = waiting.shift(); pod !== undefined; pod = waiting.shift()) {
      try {
        await moveOff(session, pod, options, limit);
      } catch (caught) {
        failed.push(caught);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnceMax, evict.length) }, work));
  if (failed.length > 0) throw IkadaError.from(failed[0]);
  process.stdout.write(`node/${node} drained${dryRunNote(options.dryRun)}\n`);
}

async function podsOn(session: Session, node: string, { podSelector = "" }: DrainOptions): Promise<readonly Pod[]> {
  const { client, signal, deadlineMs } = session;
  const pods: Pod[] = [];
  const chosen = { fieldSelector: `spec.nodeName=${node}`, labelSelector: podSelector };
  for await (const pod of client.list(kindNamed("pods"), { ...chosen, signal, deadlineMs })) pods.push(typed<Pod>(pod));
  return pods;
}

/** Until it is gone. @throws IkadaError Deadline */
async function moveOff(session: Session, pod: Pod, options: DrainOptions, limit: TimeLimit): Promise<void> {
  let refusal: IkadaError | undefined;
  while (!limit.expired) {
    try {
      await ask(session, pod, options);
      process.stdout.write(
        `${nameOf(pod)} ${options.disableEviction === true ? "deleted" : "evicted"}${dryRunNote(options.dryRun)}\n`,
      );
      const { namespace = "", name, uid = "" } = pod.metadata;
      if (options.dryRun === "none")
        await waitUntilGone(session, { kind: kindNamed("pods"), namespace, name, uid }, limit);
      return;
    } catch (caught) {
      const error = IkadaError.from(caught);
      if (error.reason === "NotFound" || isAnother(error)) return;
      if (error.reason !== "DisruptionBudget" || options.dryRun === "server")
        throw limit.expired ? tooLate(pod, refusal) : error;
      if (refusal === undefined)
        process.stderr.write(`${nameOf(pod)} has to wait: ${error.details.hint ?? error.message}\n`);
      refusal = error;
      await pause(retryMs, limit);
    }
  }
  throw tooLate(pod, refusal);
}

async function ask({ client, signal, deadlineMs }: Session, pod: Pod, options: DrainOptions): Promise<void> {
  const { namespace = "", name, uid = "" } = pod.metadata;
  const { gracePeriod, dryRun } = options;
  const how = {
    namespace,
    uid,
    dryRun: dryRun === "server",
    signal,
    deadlineMs,
    ...(gracePeriod === undefined ? {} : { gracePeriodSeconds: gracePeriod }),
  };
  if (options.disableEviction === true) await client.delete(kindNamed("pods"), name, how);
  else await client.evict(name, how);
}

/** Somebody else has deleted it, and another Pod has its name. */
function isAnother(error: IkadaError): boolean {
  return error.reason === "Conflict" && error.message.includes("has the uid");
}

async function pause(ms: number, limit: TimeLimit): Promise<void> {
  try {
    await sleep(ms, undefined, { signal: limit.signal });
  } catch (caught) {
    if (!limit.expired) throw caught;
  }
}

function tooLate(pod: Pod, refusal: IkadaError | undefined): IkadaError {
  return new IkadaError("Deadline", `${nameOf(pod)} could not be evicted in time: ${refusal?.message ?? "no answer"}`, {
    hint: refusal?.details.hint ?? "drain again; what is gone is gone",
  });
}

function nameOf({ metadata }: Pod): string {
  return `pod/${metadata.name} (${metadata.namespace})`;
}
