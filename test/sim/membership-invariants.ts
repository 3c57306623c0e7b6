import { decodeConfChange } from "../../raft/conf-change.js";
import { applyChange, members } from "../../raft/core/configuration.js";
import type { ConfState, Entry, Index, NodeId } from "../../raft/core/types.js";
import { Violation } from "./violation.js";

/** Follows the committed changes of the members, and judges quorums (R10). Knows nothing of what the members believe. */
export class MembershipInvariants {
  /** Each with the index from which on it holds, oldest first. */
  readonly #configurations: { readonly index: Index; readonly configuration: ConfState }[];
  /** Of the newest configuration. */
  #members: readonly NodeId[];

  constructor(voters: readonly NodeId[]) {
    const configuration = { voters: [...voters], outgoing: [], learners: [], learnersNext: [], autoLeave: false };
    this.#configurations = [{ index: 0, configuration }];
    this.#members = [...voters];
  }

  /** The newest one that is committed. */
  get latest(): ConfState {
    return (this.#configurations.at(-1) as { configuration: ConfState }).configuration;
  }

  get changes(): number {
    return this.#configurations.length - 1;
  }

  isMember(node: NodeId): boolean {
    return this.#members.includes(node);
  }

  onCommitted({ index, type, data }: Entry): void {
    if (type !== "ConfChange") return;
    const before = this.latest;
    const result = applyChange(before, decodeConfChange(data));
    if ("error" in result)
      throw new Violation("R10 members", `entry ${index} can't change ${text(before)}: ${result.error}`);
    const { configuration } = result;
    if (!quorumsMeet(before, configuration))
      throw new Violation("R10 members", `quorums of ${text(before)} and ${text(configuration)} need not meet`);
    this.#configurations.push({ index, configuration });
    this.#members = members(configuration);
  }

  /**
   * Whether those who hold an entry are a quorum of the configuration that its leader had. The leader has applied every
   * change before the one that is under way, so that is the newest or the one before.
   */
  areQuorum(holders: ReadonlySet<NodeId>, index: Index): boolean {
    const before = this.#configurations.filter((each) => each.index < index).slice(-2);
    return before.some(({ configuration }) => isQuorum(configuration, holders));
  }
}

/** A majority of the voters and, in a joint configuration, of the outgoing ones too. Learners count for nothing. */
export function isQuorum({ voters, outgoing }: ConfState, nodes: ReadonlySet<NodeId>): boolean {
  return [voters, outgoing].every(
    (half) => half.length === 0 || 2 * half.filter((node) => nodes.has(node)).length > half.length,
  );
}

/** Tries every set of voters: no quorum of one leaves a quorum of the other among the rest. */
function quorumsMeet(left: ConfState, right: ConfState): boolean {
  const all = [...new Set([...left.voters, ...left.outgoing, ...right.voters, ...right.outgoing])];
  for (let bits = 0; bits < 1 << all.length; bits++) {
    const some = new Set(all.filter((_, at) => (bits >> at) & 1));
    const others = new Set(all.filter((node) => !some.has(node)));
    if (isQuorum(left, some) && isQuorum(right, others)) return false;
  }
  return true;
}

function text({ voters, outgoing, learners }: ConfState): string {
  return `(${voters.join()})${outgoing.length > 0 ? `&&(${outgoing.join()})` : ""}${learners.length > 0 ? ` learners ${learners.join()}` : ""}`;
}
