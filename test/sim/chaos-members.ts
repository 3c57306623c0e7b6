import type { ConfChange, ConfChangeStep } from "../../raft/core/configuration.js";
import { leaveJointChange, members } from "../../raft/core/configuration.js";
import type { ConfState, NodeId } from "../../raft/core/types.js";
import type { MembershipInvariants } from "./membership-invariants.js";
import type { SeededRandom } from "./random.js";
import type { SimulatedReplica } from "./simulated-replica.js";
import type { MemberChaos } from "./swarm.js";
import type { World } from "./world.js";

export interface MemberChangesOptions {
  readonly world: World;
  readonly random: SeededRandom;
  readonly chaos: MemberChaos;
  readonly replicas: readonly SimulatedReplica[];
  readonly membership: MembershipInvariants;
  readonly count: (name: string) => void;
}

/** Entries that a learner may lack when a careful operator promotes it. */
const lagMax = 10;

/** The operator of a cluster: adds, promotes, demotes, removes and replaces members, one or several at once. */
export class MemberChanges {
  readonly #options: MemberChangesOptions;
  #tag = 1_000_000;
  #stopped = false;

  constructor(options: MemberChangesOptions) {
    this.#options = options;
  }

  start(): void {
    const { world, random, chaos } = this.#options;
    if (chaos.changeMs === 0) return;
    world.after(random.int(2 * chaos.changeMs * 1000), () => {
      if (this.#stopped) this.#finishJoint();
      else this.#change();
      this.start();
    });
  }

  /** No new changes; a joint configuration that waits to be left is still left. */
  stop(): void {
    this.#stopped = true;
  }

  #leader(): SimulatedReplica | undefined {
    const leaders = this.#options.replicas.filter((replica) => replica.leads());
    return leaders.length === 0 ? undefined : this.#options.random.pick(leaders);
  }

  #finishJoint(): void {
    const leader = this.#leader();
    const configuration = leader?.configuration;
    if (!leader || !configuration || configuration.outgoing.length === 0 || configuration.autoLeave) return;
    this.#ask(leader, leaveJointChange);
  }

  #change(): void {
    const { random } = this.#options;
    this.#bringBack();
    const leader = this.#leader();
    const configuration = leader?.configuration;
    if (!leader || !configuration) return;
    if (configuration.outgoing.length > 0 && !configuration.autoLeave) {
      if (random.chance(0.5)) this.#ask(leader, leaveJointChange);
      return;
    }
    const several = random.chance(0.4) ? random.between(2, 3) : 1;
    const steps: ConfChangeStep[] = [];
    for (let number = 0; number < several; number++) {
      const step = this.#step(leader, configuration, steps);
      if (step) steps.push(step);
    }
    if (steps.length === 0) return;
    const transition = random.pick(["Auto", "Auto", "JointImplicit", "JointExplicit"] as const);
    this.#options.count(
      steps.length > 1 || transition !== "Auto" ? "joint change asked for" : `${steps[0]?.type} asked for`,
    );
    this.#ask(leader, { transition, steps });
  }

  /** What makes sense beside the steps already chosen. */
  #step(
    leader: SimulatedReplica,
    configuration: ConfState,
    chosen: readonly ConfChangeStep[],
  ): ConfChangeStep | undefined {
    const { random, replicas, chaos } = this.#options;
    const unwise = random.chance(chaos.unwiseShare);
    const taken = new Set(chosen.map((step) => step.node));
    const free = (ids: readonly NodeId[]): NodeId[] => ids.filter((id) => !taken.has(id));
    const present = members(configuration);
    const unused = replicas.filter((replica) => !replica.hasStarted || chaos.rejoinShare > 0);
    const outside = free(unused.map(({ id }) => id).filter((id) => !present.includes(id)));
    const learners = free(configuration.learners);
    const voters = free(configuration.voters);
    const votersAfter =
      configuration.voters.length -
      chosen.filter((step) => step.type !== "AddVoter" && configuration.voters.includes(step.node)).length;
    const kind = random.int(4);
    if (kind <= 1 && outside.length > 0) {
      const node = random.pick(outside);
      this.#startJoining(node);
      return { type: unwise ? "AddVoter" : "AddLearner", node };
    }
    if (kind <= 2 && learners.length > 0) {
      const node = random.pick(learners);
      if (unwise || leader.lagOf(node) <= lagMax) return { type: "AddVoter", node };
    }
    if (votersAfter > (unwise ? 1 : 3) || (votersAfter > 1 && random.chance(0.15)))
      return { type: random.chance(0.6) ? "Remove" : "AddLearner", node: random.pick(voters) };
    return learners.length > 0 && random.chance(0.3) ? { type: "Remove", node: random.pick(learners) } : undefined;
  }

  #startJoining(node: NodeId): void {
    const replica = this.#options.replicas[node - 1];
    if (replica && !replica.process.alive) replica.start();
  }

  /**
   * A member that was removed gets an empty disk, and may be added again under its id. Operators are told not to: it is safe
   * only after all others have learned of the removal, since until then they count on what it has forgotten.
   */
  #bringBack(): void {
    const { random, replicas, chaos, membership, count } = this.#options;
    for (const replica of replicas) {
      const { id, hasStarted } = replica;
      if (!hasStarted || membership.isMember(id) || !random.chance(0.3 * chaos.rejoinShare)) continue;
      const others = replicas.filter((other) => other !== replica && other.hasStarted);
      const knowIt = others.every(({ configuration }) => configuration && !members(configuration).includes(id));
      if (!knowIt) continue;
      count("disk emptied");
      replica.replaceDisk();
    }
  }

  #ask(leader: SimulatedReplica, change: ConfChange): void {
    this.#options.world.after(0, () => leader.consensus?.changeMembers(this.#tag++, change), leader.process);
  }
}
