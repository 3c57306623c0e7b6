import { decodeObject } from "../../api/decode.js";
import { sameJson, without } from "../../api/json.js";
import type { AnyObject, Condition } from "../../api/object.js";
import { listAt, textAt } from "../../api/path.js";
import { validateObject } from "../../api/validate.js";
import { IkadaError } from "../../base/errors.js";
import type { Changes } from "../../objects/changes.js";
import { updateOrFinish } from "../../objects/delete-object.js";
import { noChanges } from "../../objects/transaction.js";

/** A status that is larger than this is refused. */
export const statusBytesMax = 256 * 1024;

/** A status as an agent sent it. @throws IkadaError Invalid, TooLarge */
export function parseStatus(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  if (bytes.length > statusBytesMax) {
    throw new IkadaError("TooLarge", `a status of ${bytes.length} bytes; ${statusBytesMax} are allowed`);
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new IkadaError("Invalid", "the status is not JSON", {}, error);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new IkadaError("Invalid", "the status is not a JSON object");
}

export interface PodStatusReport {
  readonly node: string;
  readonly uid: string;
  readonly status: Readonly<Record<string, unknown>>;
  /** All its containers are removed. */
  readonly gone: boolean;
}

/**
 * What a report does to the Pod as it is now; undefined: nothing, also when it is about another Pod of that name or one
 * of another node. A Pod that has ended stays so. @throws IkadaError Invalid when the status is none
 */
export function podChanges(live: AnyObject | undefined, report: PodStatusReport): Changes | undefined {
  if (!live || live.metadata.uid !== report.uid) return undefined;
  if (textAt(live, ["spec", "nodeName"]) !== report.node) return undefined;
  const merged = mergePodStatus(live, report.status);
  const finished = report.gone && live.metadata.deletionTimestamp !== undefined;
  // One that was deleted before its containers had run has failed too; a Job may wait for that word.
  const status = finished && !isEnded(merged) ? { ...merged, phase: "Failed" } : merged;
  const metadata = finished ? { ...live.metadata, deletionGracePeriodSeconds: 0 } : live.metadata;
  const updated = checked({ ...live, metadata, status });
  if (!finished && sameJson(updated["status"], live["status"])) return undefined;
  return updateOrFinish(updated);
}

/** What a node's report does to its Node object; undefined: nothing. @throws IkadaError Invalid */
export function nodeChanges(
  live: AnyObject | undefined,
  reported: Readonly<Record<string, unknown>>,
): Changes | undefined {
  if (!live) return undefined;
  const before = (live["status"] ?? {}) as Readonly<Record<string, unknown>>;
  const conditions = mergeConditions(live, reported).map((condition) => withTransitionOf(live, condition));
  const status = { ...before, ...reported, conditions };
  const updated = checked({ ...live, status });
  if (sameJson(updated["status"], live["status"])) return undefined;
  return { ...noChanges, updates: [updated] };
}

function mergePodStatus(live: AnyObject, reported: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const before = (live["status"] ?? {}) as Readonly<Record<string, unknown>>;
  if (isEnded(before) && reported["phase"] !== before["phase"]) return { ...before };
  return { ...reported, conditions: mergeConditions(live, reported) };
}

function isEnded({ phase }: Readonly<Record<string, unknown>>): boolean {
  return phase === "Succeeded" || phase === "Failed";
}

/**
 * Conditions that the agent does not speak of are others' (the scheduler's, a controller's) and stay. Heartbeat times are
 * dropped: last-seen times are shared among replicas in memory and do not belong in the log.
 */
function mergeConditions(live: AnyObject, reported: Readonly<Record<string, unknown>>): readonly unknown[] {
  const news = listAt(reported, "conditions").map((condition) =>
    typeof condition === "object" && condition !== null
      ? without(condition as Partial<Condition>, "lastHeartbeatTime", "lastProbeTime")
      : condition,
  );
  const types = new Set(news.map((condition) => textAt(condition, ["type"])));
  return [...listAt(live, "status", "conditions").filter((old) => !types.has(textAt(old, ["type"]))), ...news];
}

/** An agent that has started again does not know since when: what has not turned has the time that it had. */
function withTransitionOf(live: AnyObject, condition: unknown): unknown {
  const type = textAt(condition, ["type"]);
  const known = listAt(live, "status", "conditions").find((one) => textAt(one, ["type"]) === type);
  const time = textAt(known, ["lastTransitionTime"]);
  if (time === "" || textAt(known, ["status"]) !== textAt(condition, ["status"])) return condition;
  return { ...(condition as Partial<Condition>), lastTransitionTime: time };
}

/** An agent's words are read as strictly as a user's. @throws IkadaError Invalid */
function checked(object: AnyObject): AnyObject {
  const { object: decoded, faults } = decodeObject(object, { mode: "whole" });
  const found = decoded ? validateObject(decoded).filter(({ field }) => field.startsWith("status")) : faults;
  const [first] = found;
  if (decoded && !first) return decoded;
  throw new IkadaError("Invalid", `the reported status is invalid: ${first?.field ?? ""}: ${first?.message ?? ""}`, {
    faults: found,
  });
}
