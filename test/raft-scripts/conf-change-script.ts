import {
  enterJoint,
  leaveJoint,
  members,
  simple,
  type ConfChangeStep,
  type ConfResult,
} from "../../raft/core/configuration.js";
import type { ConfState, Index, NodeId } from "../../raft/core/types.js";
import { truth, valueOf } from "./arguments.js";
import { configurationText } from "./describe.js";
import type { Directive } from "./script.js";
import { parseSteps } from "./steps.js";

const empty: ConfState = { voters: [], outgoing: [], learners: [], learnersNext: [], autoLeave: false };

/** `simple`, `enter-joint` and `leave-joint`: a configuration, and where replication to each member would begin. */
export class ConfChangeScript {
  #configuration = empty;
  /** Where replication to each member begins: at what was the last index when it came. */
  #next = new Map<NodeId, Index>();
  /** Rises with each directive. */
  #lastIndex = 0;

  run(directive: Directive): string {
    const output = this.#run(directive);
    this.#lastIndex++;
    return output;
  }

  #run(directive: Directive): string {
    const parsed = parseSteps(directive.input);
    if ("error" in parsed) return parsed.error;
    // etcd's way to strike a step out of a change is node 0.
    const steps = parsed.filter(({ node }) => node !== 0);
    if (directive.command === "leave-joint" && parsed.length > 0) return "this command takes no input\n";
    const result = this.#change(directive, steps);
    if ("error" in result) return `${etcdError(result.error)}\n`;
    this.#follow(directive, steps);
    this.#configuration = result.configuration;
    return `${configurationText(this.#configuration)}\n${this.#progress()}`;
  }

  #change(directive: Directive, steps: readonly ConfChangeStep[]): ConfResult {
    if (directive.command === "simple") return simple(this.#configuration, steps);
    if (directive.command === "leave-joint") return leaveJoint(this.#configuration);
    return enterJoint(this.#configuration, steps, truth(valueOf(directive, "autoleave") ?? "false", "autoleave"));
  }

  /** Step by step, since a member that is removed and added again in one change begins anew. */
  #follow(directive: Directive, steps: readonly ConfChangeStep[]): void {
    for (let count = steps.length === 0 ? 0 : 1; count <= steps.length; count++) {
      const result = this.#change(directive, steps.slice(0, count));
      if ("error" in result) continue;
      const present = members(result.configuration);
      for (const id of this.#next.keys()) if (!present.includes(id)) this.#next.delete(id);
      for (const id of present) if (!this.#next.has(id)) this.#next.set(id, Math.max(this.#lastIndex, 1));
    }
  }

  #progress(): string {
    const lines = [...this.#next].sort(([left], [right]) => left - right);
    return lines
      .map(([id, next]) => {
        const learner = this.#isLearnerAfter(id) ? " learner" : "";
        return `${id}: StateProbe match=0 next=${next}${learner}\n`;
      })
      .join("");
  }

  #isLearnerAfter(id: NodeId): boolean {
    return this.#configuration.learners.includes(id);
  }
}

/** The words of etcd/raft for what the core says in its own. */
function etcdError(error: string): string {
  return errors.find(([ours]) => error.includes(ours))?.[1] ?? error;
}

const errors: readonly (readonly [ours: string, theirs: string])[] = [
  ["must be left before another change", "can't apply simple config change in joint config"],
  ["voters change at once", "more than one voter changed without entering joint config"],
  ["joint already", "config is already joint"],
  ["without voters can't become joint", "can't make a zero-voter config joint"],
  ["is not joint", "can't leave a non-joint config"],
  ["remove the last voter", "removed all voters"],
];
