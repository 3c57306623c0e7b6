import { setTimeout as sleep } from "node:timers/promises";
import { limits } from "./base/limits.js";
import type { ReplicaControl } from "./server/replica-status.js";

/** A transfer that has not come about after two election timeouts does not come any more: the others elect one of themselves. */
const handOverMsMax = 2 * limits.electionTicks * limits.tickMs;
const lookMs = 2;

/**
 * Before a server that stops closes its listeners: while it still serves, another replica takes the lead, so that its
 * clients' writes wait for one transfer and not for listeners to close. Does nothing on a follower.
 */
export async function handOver(replica: ReplicaControl): Promise<void> {
  if (replica.status().role !== "Leader") return;
  replica.transferLeadership(0);
  const deadline = performance.now() + handOverMsMax;
  while (replica.status().role === "Leader" && performance.now() < deadline) await sleep(lookMs);
}
