import type { NodeId } from "./core/types.js";

/** What the wait for a leader is made from. */
export interface AdaptiveTimeoutOptions {
  readonly tickMs: number;
  /** On a calm machine and network. */
  readonly ticksMin: number;
  /** However bad the machine and network are: a dead leader has to be replaced some time. */
  readonly ticksMax: number;
}

/** A silence this much longer than the longest one seen lately is no chance any more. */
const silenceFactor = 3;
/** Paper 5.6: the broadcast time has to be an order of magnitude below the election timeout. */
const roundTripFactor = 10;
/** How long a peak counts: at least one window, at most two; and how long a peer's round trips do after the last one. */
const windowMs = 30_000;
/** So many round trips of a peer count, which is some 5 s of them. */
const roundTripsKept = 9;

/**
 * The base of the election timeout, from what is measured: how long the leader was silent between two of its messages, how late the
 * own loop's ticks are, and how long the peers' answers take. The first two count by their peak of the last 30 to 60 s, since it
 * is the rare long one that would start a needless election. A round trip counts by its usual length: the few that went through an outage,
 * and took as long as the sender's kernel waited before it sent again, say nothing of the way. What a network does to heartbeats shows in
 * the leader's silence anyhow. Etcd and others have one constant for a quiet machine and one that suffers.
 */
export class AdaptiveTimeout {
  readonly #options: AdaptiveTimeoutOptions;
  readonly #silence = new Peak();
  readonly #lateness = new Peak();
  readonly #roundTrips = new Map<NodeId, RoundTrips>();
  #leadership = "";
  #heardMs = 0;

  constructor(options: AdaptiveTimeoutOptions) {
    this.#options = options;
  }

  /** A message of the leader came; `leadership` names leader and term, since the time between two leaders is no silence of one. */
  heard(leadership: string, nowMs: number): void {
    if (leadership === this.#leadership) this.#note(this.#silence, nowMs - this.#heardMs, nowMs);
    this.#leadership = leadership;
    this.#heardMs = nowMs;
  }

  /** A tick of the own loop came `lateMs` after it was due. */
  late(lateMs: number, nowMs: number): void {
    this.#note(this.#lateness, lateMs, nowMs);
  }

  answered(peer: NodeId, roundTripMs: number, nowMs: number): void {
    const earlier = this.#roundTrips.get(peer)?.ms ?? [];
    this.#roundTrips.set(peer, { ms: [...earlier, roundTripMs].slice(-roundTripsKept), lastMs: nowMs });
  }

  /** The base election timeout, in ticks, for now. */
  ticks(nowMs: number): number {
    const { tickMs, ticksMin, ticksMax } = this.#options;
    const neededMs = Math.max(
      silenceFactor * this.#silence.at(nowMs),
      // A tick that is late makes the heartbeats behind it late.
      silenceFactor * (tickMs + this.#lateness.at(nowMs)),
      roundTripFactor * this.#slowestRoundTripMs(nowMs),
    );
    return Math.min(ticksMax, Math.max(ticksMin, Math.ceil(neededMs / tickMs)));
  }

  /** Of the peers that answer. */
  #slowestRoundTripMs(nowMs: number): number {
    let slowest = 0;
    for (const [peer, { ms, lastMs }] of this.#roundTrips) {
      if (nowMs - lastMs > windowMs) this.#roundTrips.delete(peer);
      else slowest = Math.max(slowest, median(ms));
    }
    return slowest;
  }

  /** What is longer than the longest wait was a stopped process or a cut network, and no measure of a slow one. */
  #note(peak: Peak, ms: number, nowMs: number): void {
    if (ms <= this.#options.ticksMax * this.#options.tickMs) peak.add(ms, nowMs);
  }
}

interface RoundTrips {
  /** The newest last. */
  readonly ms: readonly number[];
  /** When the newest was measured. */
  readonly lastMs: number;
}

/** The lower one of two in the middle. */
function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[(sorted.length - 1) >> 1] ?? 0;
}

/** The highest value of this window and the one before. */
class Peak {
  #windowStartMs = 0;
  #now = 0;
  #before = 0;

  add(value: number, nowMs: number): void {
    this.#advance(nowMs);
    this.#now = Math.max(this.#now, value);
  }

  at(nowMs: number): number {
    this.#advance(nowMs);
    return Math.max(this.#now, this.#before);
  }

  #advance(nowMs: number): void {
    const windows = Math.floor((nowMs - this.#windowStartMs) / windowMs);
    if (windows < 1) return;
    this.#before = windows === 1 ? this.#now : 0;
    this.#now = 0;
    this.#windowStartMs += windows * windowMs;
  }
}
