import type { ClusterState } from "./cluster-state.js";
import { DomainCounts } from "./domain-counts.js";
import { toleratesAll } from "./filters.js";
import { suitsNode } from "../api/node-affinity.js";
import type { PodClass } from "./pod-class.js";
import { selectsPod, type PodSelection, type PodTerm, type SpreadConstraint } from "./pod-terms.js";
import type { Room } from "./room.js";

/** Why the other Pods keep a Pod off a node. */
export type TopologyRefusal = "spreadLabel" | "spread" | "affinity" | "antiAffinity" | "existingAntiAffinity";

/** What changes when a Pod of another class comes to or leaves a node. */
interface Effect {
  readonly counts: DomainCounts;
  readonly amount: number;
  /** Only where this constraint counts nodes; Pods on their way out do not count then. */
  readonly constraint?: SpreadConstraint;
}

const hostname = "kubernetes.io/hostname";
const zone = "topology.kubernetes.io/zone";
/** Kubernetes' HardPodAffinityWeight. */
const requiredWeight = 1;

/**
 * What the Pods on all nodes mean for one class: its spread constraints, its own rules about other Pods, and theirs about it. Kept up to
 * date while Pods are placed, so that a verdict costs some look-ups.
 */
export class Topology {
  readonly podClass: PodClass;
  readonly #state: ClusterState;
  readonly #spread: readonly { readonly constraint: SpreadConstraint; readonly counts: DomainCounts }[];
  readonly #scoredSpread: readonly { readonly constraint: SpreadConstraint; readonly counts: DomainCounts }[];
  /** The class has no constraints of its own: nodes without one of the labels are scored too. */
  readonly #isSpreadByDefault: boolean;
  readonly #affinity: readonly DomainCounts[];
  readonly #antiAffinity: readonly DomainCounts[];
  readonly #existingAnti = new Map<string, DomainCounts>();
  readonly #scores = new Map<string, DomainCounts>();
  /** Its first Pod satisfies its own affinity. */
  readonly #attractsItself: boolean;
  readonly #effects = new Map<PodClass, readonly Effect[]>();
  #keys: readonly string[] = [];
  /** Of each key its counts, when no two nodes share a value: those of the node stand for the value then. */
  #perNode: ReadonlyMap<string, readonly DomainCounts[]> = new Map();

  constructor(podClass: PodClass, state: ClusterState) {
    this.podClass = podClass;
    this.#state = state;
    this.#isSpreadByDefault = podClass.spread.length === 0 && podClass.preferredSpread.length === 0;
    const counted = (constraint: SpreadConstraint) => ({
      constraint,
      counts: new DomainCounts(constraint.topologyKey),
    });
    this.#spread = podClass.spread.map(counted);
    this.#scoredSpread = (this.#isSpreadByDefault ? defaultsFor(podClass) : podClass.preferredSpread).map(counted);
    this.#affinity = podClass.nearTo.map(({ topologyKey }) => new DomainCounts(topologyKey));
    this.#antiAffinity = podClass.awayFrom.map(({ topologyKey }) => new DomainCounts(topologyKey));
    this.#attractsItself = podClass.nearTo.every((term) => this.#selects(term.pods, podClass));
    if (this.#isSpreadByDefault) this.#knowDefaults();
    else for (const room of state.rooms) this.#know(room);
    for (const other of this.#relevant()) this.#countAll(other);
    this.#findKeys();
  }

  /** The labels of nodes that make a difference. Grows when a class is placed that has rules about this one. */
  get keys(): readonly string[] {
    return this.#keys;
  }

  get hasSpreadScores(): boolean {
    return this.#scoredSpread.length > 0;
  }

  get hasScores(): boolean {
    return this.hasSpreadScores || this.#scores.size > 0;
  }

  /** Nodes of one group get the same verdicts and scores of this, and go on doing so while none of their own Pods change. */
  group(room: Room): string {
    let group = "";
    for (const key of this.#keys) {
      const counts = this.#perNode.get(key);
      const value = room.labels[key];
      if (value === undefined) group += "-|";
      else if (counts === undefined) group += `${value}|`;
      else for (const one of counts) group += `${one.of(value)}|`;
    }
    return group;
  }

  /** A Pod of another class (or this one) has come to a node, or with -1 left it. */
  changed(other: PodClass, room: Room, sign: 1 | -1): void {
    for (const effect of this.#effectsOf(other)) this.#apply(effect, room, sign);
  }

  /** The first reason why this node does not do; undefined: none. */
  refusal(room: Room): TopologyRefusal | undefined {
    for (const { constraint, counts } of this.#spread) {
      const value = counts.valueOf(room);
      if (value === undefined) return "spreadLabel";
      const least = counts.domains < constraint.minDomains ? 0 : counts.least;
      const own = this.#selects(constraint.pods, this.podClass) ? 1 : 0;
      if (counts.of(value) + own - least > constraint.maxSkew) return "spread";
    }
    if (!this.#satisfiesAffinity(room)) return "affinity";
    if (this.#antiAffinity.some((counts) => counts.of(counts.valueOf(room)) > 0)) return "antiAffinity";
    for (const counts of this.#existingAnti.values())
      if (counts.of(counts.valueOf(room)) > 0) return "existingAntiAffinity";
    return undefined;
  }

  /** Pods that are alike near this node: lower is better. Undefined: a label is missing, which is worst. */
  spreadScore(room: Room, nodes: number): number | undefined {
    let score = 0;
    for (const { constraint, counts } of this.#scoredSpread) {
      const value = counts.valueOf(room);
      if (value === undefined) {
        if (this.#isSpreadByDefault) continue;
        return undefined;
      }
      const domains = constraint.topologyKey === hostname ? nodes : counts.domains;
      score += counts.of(value) * Math.log(domains + 2) + constraint.maxSkew - 1;
    }
    return Math.round(score);
  }

  /** How much Pods near this node attract (or, below 0, repel) it. */
  podScore(room: Room): number {
    let score = 0;
    for (const counts of this.#scores.values()) score += counts.of(counts.valueOf(room));
    return score;
  }

  /** With numbers, for people. */
  detail(room: Room): string {
    for (const { constraint, counts } of this.#spread) {
      const { topologyKey, maxSkew, minDomains } = constraint;
      const value = counts.valueOf(room);
      if (value === undefined) return `has no label ${topologyKey}`;
      const least = counts.domains < minDomains ? 0 : counts.least;
      const own = this.#selects(constraint.pods, this.podClass) ? 1 : 0;
      if (counts.of(value) + own - least > maxSkew)
        return `${topologyKey}=${value} has ${counts.of(value)} Pods, the least has ${least}, maxSkew is ${maxSkew}`;
    }
    const near = (counts: DomainCounts): string =>
      `${counts.of(counts.valueOf(room))} Pods at ${counts.topologyKey}=${counts.valueOf(room) ?? "none"}`;
    const missing = this.#affinity.find((counts) => counts.of(counts.valueOf(room)) <= 0);
    if (missing !== undefined && !this.#satisfiesAffinity(room)) return `it wants to be near: ${near(missing)}`;
    const own = this.#antiAffinity.find((counts) => counts.of(counts.valueOf(room)) > 0);
    if (own !== undefined) return `it keeps away from ${near(own)}`;
    const theirs = [...this.#existingAnti.values()].find((counts) => counts.of(counts.valueOf(room)) > 0);
    return theirs === undefined ? "" : `${near(theirs)} keep it away`;
  }

  #satisfiesAffinity(room: Room): boolean {
    if (this.#affinity.length === 0) return true;
    if (this.#affinity.some((counts) => counts.valueOf(room) === undefined)) return false;
    if (this.#affinity.every((counts) => counts.of(counts.valueOf(room)) > 0)) return true;
    return this.#attractsItself && this.#affinity.every((counts) => counts.total === 0);
  }

  #relevant(): Iterable<PodClass> {
    const { podClass } = this;
    const asksAboutAll = podClass.hasPodTerms || !this.#isSpreadByDefault;
    if (asksAboutAll) return this.#state.placedClasses();
    const owned = this.#scoredSpread.length === 0 ? [] : this.#state.placedClassesOf(podClass.owner);
    return new Set([...owned, ...this.#state.placedWithTerms]);
  }

  #know(room: Room): void {
    for (const constraints of [this.#spread, this.#scoredSpread])
      for (const { constraint, counts } of constraints) {
        const value = counts.valueOf(room);
        if (value !== undefined && this.#counts(constraint, room)) counts.know(value);
      }
  }

  /** Every node counts, and of machines only their number does. */
  #knowDefaults(): void {
    for (const { constraint, counts } of this.#scoredSpread)
      if (constraint.topologyKey !== hostname)
        for (const value of this.#state.valuesOf(constraint.topologyKey)) counts.know(value);
  }

  /** Whether Pods of this node are counted by a constraint. */
  #counts(constraint: SpreadConstraint, room: Room): boolean {
    const { node } = room;
    if (node === undefined) return false;
    if (this.#isSpreadByDefault) return true;
    const all = this.#spread.some((one) => one.constraint === constraint) ? this.#spread : this.#scoredSpread;
    if (all.some(({ counts }) => counts.valueOf(room) === undefined)) return false;
    if (constraint.honorsAffinity && !suitsNode(this.podClass, node)) return false;
    return !constraint.honorsTaints || toleratesAll(this.podClass, room);
  }

  #countAll(other: PodClass): void {
    const effects = this.#effectsOf(other);
    if (effects.length === 0) return;
    for (const [room, { pods, terminating }] of this.#state.where(other))
      for (const effect of effects)
        this.#apply(effect, room, effect.constraint === undefined ? pods : pods - terminating);
  }

  #apply({ counts, amount, constraint }: Effect, room: Room, times: number): void {
    const value = counts.valueOf(room);
    if (value === undefined || times === 0) return;
    if (constraint !== undefined && !this.#counts(constraint, room)) return;
    counts.add(value, amount * times);
  }

  #effectsOf(other: PodClass): readonly Effect[] {
    let effects = this.#effects.get(other);
    if (effects === undefined) {
      this.#effects.set(other, (effects = this.#findEffects(other)));
      if (effects.some(({ counts }) => !this.#keys.includes(counts.topologyKey))) this.#findKeys();
    }
    return effects;
  }

  #findEffects(other: PodClass): readonly Effect[] {
    const { podClass } = this;
    const effects: Effect[] = [];
    for (const { constraint, counts } of this.#spread)
      if (this.#selects(constraint.pods, other)) effects.push({ counts, amount: 1, constraint });
    for (const { constraint, counts } of this.#scoredSpread)
      if (this.#isSpreadByDefault ? other.owner === podClass.owner : this.#selects(constraint.pods, other))
        effects.push({ counts, amount: 1, constraint });
    // As in Kubernetes, only a Pod that all of the terms are about counts for any.
    if (podClass.nearTo.length > 0 && podClass.nearTo.every(({ pods }) => this.#selects(pods, other)))
      for (const counts of this.#affinity) effects.push({ counts, amount: 1 });
    for (const [at, counts] of this.#antiAffinity.entries())
      if (this.#selects((podClass.awayFrom[at] as PodTerm).pods, other)) effects.push({ counts, amount: 1 });
    for (const term of podClass.preferred)
      if (this.#selects(term.pods, other)) effects.push({ counts: this.#scoreOf(term), amount: term.weight });
    // What the others want of this class.
    for (const term of other.awayFrom)
      if (this.#selects(term.pods, podClass)) effects.push({ counts: keyed(this.#existingAnti, term), amount: 1 });
    for (const term of other.nearTo)
      if (this.#selects(term.pods, podClass)) effects.push({ counts: this.#scoreOf(term), amount: requiredWeight });
    for (const term of other.preferred)
      if (this.#selects(term.pods, podClass)) effects.push({ counts: this.#scoreOf(term), amount: term.weight });
    return effects;
  }

  #scoreOf(term: PodTerm): DomainCounts {
    return keyed(this.#scores, term);
  }

  #selects(pods: PodSelection, other: PodClass): boolean {
    return selectsPod(pods, other, this.#state.namespaceLabels);
  }

  #findKeys(): void {
    const all = [
      ...[...this.#spread, ...this.#scoredSpread].map(({ counts }) => counts),
      ...this.#affinity,
      ...this.#antiAffinity,
      ...this.#existingAnti.values(),
      ...this.#scores.values(),
    ];
    this.#keys = [...new Set(all.map(({ topologyKey }) => topologyKey))];
    this.#perNode = new Map(
      this.#keys
        .filter((key) => this.#state.isPerNode(key))
        .map((key) => [key, all.filter(({ topologyKey }) => topologyKey === key)]),
    );
  }
}

/** Kubernetes' constraints for Pods without any of their own: over machines and zones, as a wish. Alike are Pods of one owner. */
const defaultConstraints: readonly SpreadConstraint[] = [defaultConstraint(hostname, 3), defaultConstraint(zone, 5)];

/** None for Pods on their own, and for those that have no choice. */
function defaultsFor({ owner, onlyNode }: PodClass): readonly SpreadConstraint[] {
  return owner === "" || onlyNode !== undefined ? [] : defaultConstraints;
}

function defaultConstraint(topologyKey: string, maxSkew: number): SpreadConstraint {
  const pods = { namespaces: [], namespaceRequirements: undefined, requirements: undefined };
  return { topologyKey, maxSkew, minDomains: 1, pods, honorsAffinity: true, honorsTaints: false };
}

function keyed(all: Map<string, DomainCounts>, { topologyKey }: PodTerm): DomainCounts {
  let counts = all.get(topologyKey);
  if (counts === undefined) all.set(topologyKey, (counts = new DomainCounts(topologyKey)));
  return counts;
}
