import { IkadaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import type { ReplicaControl, ReplicaStatus } from "../replica-status.js";

/** How long a guard waits for the leader to hear from everybody, which it does several times in this time. */
const settleMs = 1_500;
const pollMs = 50;

/** Throws unless, within a moment, nothing speaks against it. @throws IkadaError NotReady with what does */
export async function waitUntilReady(
  replica: ReplicaControl,
  problemOf: (status: ReplicaStatus) => string | undefined,
  hint: string,
): Promise<void> {
  const until = performance.now() + settleMs;
  for (;;) {
    const problem = problemOf(replica.status());
    if (problem === undefined) return;
    if (performance.now() >= until) throw new IkadaError("NotReady", problem, { hint });
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** Why this server must not vote yet: it would hold up every commit of a majority that needs it. */
export function behindProblem(status: ReplicaStatus, id: number, name: string): string | undefined {
  const progress = status.progress.find((each) => each.id === id);
  if (!progress?.active) return `server ${id} (${name}) has not been heard from lately`;
  const behind = status.commit - progress.match;
  if (behind <= limits.promotionBehindEntriesMax) return undefined;
  return `server ${id} (${name}) is ${behind} entries behind: it has ${progress.match} of ${status.commit}`;
}

/** Why these voters could not go on by themselves: too few of them were heard from lately. */
export function quorumProblem(status: ReplicaStatus, voters: readonly number[]): string | undefined {
  const heard = voters.filter(
    (id) => id === status.id || status.progress.some((each) => each.id === id && each.active),
  ).length;
  const needed = Math.floor(voters.length / 2) + 1;
  if (heard >= needed) return undefined;
  return `of the ${voters.length} voting servers that there would be only ${heard} were heard from lately, and ${needed} are needed`;
}
