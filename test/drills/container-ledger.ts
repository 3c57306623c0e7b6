import type { EngineEvent } from "../e2e/engine-events.js";

/** A container of the cluster that has run. */
interface Own {
  /** Of which there may be one at a time. */
  readonly slot: string;
  readonly name: string;
  /** Undefined while it runs. */
  endedNano: bigint | undefined;
}

/**
 * Books what happened to the containers of an engine, event by event: whether two of one Pod ran at one instant, however briefly, how
 * often each Pod's container began, and what was done to containers of somebody else.
 */
export class ContainerLedger {
  readonly #clusterId: string;
  readonly #own = new Map<string, Own>();
  readonly #doubles = new Set<string>();
  readonly #starts = new Map<string, number>();
  readonly #foreign: string[] = [];

  constructor(clusterId: string) {
    this.#clusterId = clusterId;
  }

  take({ action, id, attributes, atNano }: EngineEvent): void {
    if (attributes["ikada.cluster"] !== this.#clusterId) {
      this.#foreign.push(`${action} of ${attributes["name"]}`);
      return;
    }
    if (action === "start") this.#started(id, attributes, atNano);
    else if (action === "die" || action === "destroy") this.ended(id, atNano);
    if (action === "destroy") this.#own.delete(id);
  }

  /** Of a container whose end no event told. What an earlier one said stays. */
  ended(id: string, atNano: bigint): void {
    const own = this.#own.get(id);
    if (own !== undefined) own.endedNano ??= atNano;
  }

  /** Ids of those that run as far as was told. */
  get running(): readonly string[] {
    return [...this.#own].filter(([, { endedNano }]) => endedNano === undefined).map(([id]) => id);
  }

  /** In words, ever. */
  get doubles(): readonly string[] {
    return [...this.#doubles];
  }

  /** By Pod, sandboxes left out, since `mark`. */
  get starts(): ReadonlyMap<string, number> {
    return this.#starts;
  }

  /** In words, since `mark`. */
  get foreign(): readonly string[] {
    return this.#foreign;
  }

  /** What is counted begins anew. */
  mark(): void {
    this.#starts.clear();
    this.#foreign.length = 0;
  }

  #started(id: string, attributes: EngineEvent["attributes"], atNano: bigint): void {
    const [pod = "", role] = [attributes["ikada.pod-name"], attributes["ikada.role"]];
    const slot = `${role} ${attributes["ikada.container"] ?? ""} of pod ${pod}`;
    const name = attributes["name"] ?? id.slice(0, 12);
    for (const [otherId, other] of this.#own) {
      if (other.slot !== slot || otherId === id) continue;
      if (other.endedNano === undefined || other.endedNano > atNano)
        this.#doubles.add(`${slot}: ${other.name} and ${name}`);
    }
    this.#own.set(id, { slot, name, endedNano: undefined });
    if (role === "container") this.#starts.set(pod, (this.#starts.get(pod) ?? 0) + 1);
  }
}
