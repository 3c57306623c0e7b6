import { invariant } from "./invariant.js";
import type { ConfState, NodeId } from "./types.js";

/** `Update` changes nothing here: it puts a member's new address, kept by the driver, into the log. */
export type ConfChangeStepType = "AddVoter" | "AddLearner" | "Remove" | "Update";

export interface ConfChangeStep {
  readonly type: ConfChangeStepType;
  readonly node: NodeId;
}

/**
 * `Auto`: one step is done at once, several go through a joint configuration that is left by itself. `JointImplicit`: always
 * joint, left by itself. `JointExplicit`: joint until a change without steps is proposed.
 */
export type ConfChangeTransition = "Auto" | "JointImplicit" | "JointExplicit";

/** No steps and `Auto` means: leave joint consensus. Its encoded form in the log is an entry without data. */
export interface ConfChange {
  readonly transition: ConfChangeTransition;
  readonly steps: readonly ConfChangeStep[];
  /**
   * What the change makes of the configuration it was proposed under. A member that joins with an empty log begins without a
   * configuration, and takes this one: the first voters of a cluster stand in no entry.
   */
  readonly result?: ConfState;
}

export const leaveJointChange: ConfChange = Object.freeze({ transition: "Auto", steps: Object.freeze([]) });

/** A new configuration, or the reason why there is none. */
export type ConfResult = { readonly configuration: ConfState } | { readonly error: string };

export function isJoint(configuration: ConfState): boolean {
  return configuration.outgoing.length > 0;
}

/** Voters of either half; learners are none, also those which a joint change will demote. */
export function isVoter(configuration: ConfState, id: NodeId): boolean {
  return configuration.voters.includes(id) || configuration.outgoing.includes(id);
}

/** Every node that replication goes to, once, in ascending order. */
export function members(configuration: ConfState): NodeId[] {
  const all = new Set([
    ...configuration.voters,
    ...configuration.outgoing,
    ...configuration.learners,
    ...configuration.learnersNext,
  ]);
  return ascending(all);
}

/** What `change` makes of `configuration` (paper 6, thesis 4.3). Pure; the input is not touched. */
export function applyChange(configuration: ConfState, change: ConfChange): ConfResult {
  if (change.result && configuration.voters.length === 0) return { configuration: checked(change.result) };
  if (change.transition === "Auto" && change.steps.length === 0) return leaveJoint(configuration);
  if (change.transition === "Auto" && change.steps.length === 1) return simple(configuration, change.steps);
  return enterJoint(configuration, change.steps, change.transition !== "JointExplicit");
}

/** Changes at most one voter, so that old and new majorities always intersect (thesis 4.1). */
export function simple(configuration: ConfState, steps: readonly ConfChangeStep[]): ConfResult {
  if (isJoint(configuration)) return { error: "a joint configuration must be left before another change" };
  const result = applySteps(configuration, steps, false);
  if ("error" in result) return result;
  const changed = symmetricDifference(configuration.voters, result.configuration.voters);
  if (changed > 1) return { error: `${changed} voters change at once: that needs joint consensus` };
  return result;
}

/** Into C_old,new: decisions need a majority of both until `leaveJoint`. */
export function enterJoint(configuration: ConfState, steps: readonly ConfChangeStep[], autoLeave: boolean): ConfResult {
  if (isJoint(configuration)) return { error: "the configuration is joint already" };
  if (configuration.voters.length === 0) return { error: "a configuration without voters can't become joint" };
  return applySteps({ ...configuration, outgoing: configuration.voters }, steps, autoLeave);
}

/** Into C_new: the outgoing voters leave, or become the learners they were to be. */
export function leaveJoint(configuration: ConfState): ConfResult {
  if (!isJoint(configuration)) return { error: "the configuration is not joint, there is nothing to leave" };
  return {
    configuration: checked({
      voters: configuration.voters,
      outgoing: [],
      learners: ascending([...configuration.learners, ...configuration.learnersNext]),
      learnersNext: [],
      autoLeave: false,
    }),
  };
}

function applySteps(base: ConfState, steps: readonly ConfChangeStep[], autoLeave: boolean): ConfResult {
  const voters = new Set(base.voters);
  const learners = new Set(base.learners);
  const learnersNext = new Set(base.learnersNext);
  for (const { type, node } of steps) {
    if (!Number.isSafeInteger(node) || node <= 0) return { error: `${node} is no node id` };
    if (type === "Update") continue;
    voters.delete(node);
    learners.delete(node);
    learnersNext.delete(node);
    if (type === "AddVoter") voters.add(node);
    // A voter of the old half can't be a learner yet: it would not be heard in the old quorum.
    if (type === "AddLearner") (base.outgoing.includes(node) ? learnersNext : learners).add(node);
  }
  if (voters.size === 0) return { error: "the change would remove the last voter" };
  return {
    configuration: checked({
      voters: ascending(voters),
      outgoing: base.outgoing,
      learners: ascending(learners),
      learnersNext: ascending(learnersNext),
      autoLeave,
    }),
  };
}

/** Returns `configuration` when its parts do not contradict each other. */
export function checked(configuration: ConfState): ConfState {
  const { voters, outgoing, learners, learnersNext, autoLeave } = configuration;
  for (const learner of learners) {
    invariant(!isVoter(configuration, learner), `node ${learner} is voter and learner at once`);
    invariant(!learnersNext.includes(learner), `node ${learner} is a learner now and to become one`);
  }
  for (const next of learnersNext) {
    invariant(outgoing.includes(next), `node ${next} waits to become a learner and is no outgoing voter`);
    invariant(!voters.includes(next), `node ${next} waits to become a learner and is an incoming voter`);
  }
  if (outgoing.length === 0) {
    invariant(learnersNext.length === 0 && !autoLeave, "learnersNext and autoLeave exist in joint consensus only");
  }
  return configuration;
}

function symmetricDifference(left: readonly NodeId[], right: readonly NodeId[]): number {
  let count = 0;
  for (const id of left) if (!right.includes(id)) count++;
  for (const id of right) if (!left.includes(id)) count++;
  return count;
}

function ascending(ids: Iterable<NodeId>): NodeId[] {
  return [...ids].sort((left, right) => left - right);
}
