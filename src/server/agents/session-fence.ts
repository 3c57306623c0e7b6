import type { Done } from "../../base/env.js";
import type { Compare, WaitOptions } from "../../../store/store.js";
import type { StoreCalls } from "./store-calls.js";

/** Of the newest session of each node, whichever replica has it. */
const prefix = "/sessions/nodes/";

/**
 * Makes the newest session of a node: gives what holds until the node has a newer one, with any replica. What a session's agent reports is written
 * under that condition, so that a report which waited on a replica that was cut off is not written over what the node has said since.
 */
export function fenceSession(
  store: StoreCalls,
  node: string,
  bootId: string,
  wait: WaitOptions,
  done: Done<Compare>,
): void {
  const key = `${prefix}${node}`;
  const value = new TextEncoder().encode(bootId);
  const txn = { compares: [], success: [{ type: "put" as const, key, value, revisionAt: -1 }], failure: [] };
  store.writeThen(
    { txns: [txn], origin: `node:${node}` },
    (error, results) =>
      done(error, { key, target: "modRevision", operator: "=", operand: results?.[0]?.revision ?? 0 }),
    wait,
  );
}
