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
/** How long a peak counts: at least one window, at most two. */
const windowMs = 30_000;

/**
 * The base of the election timeout, from what is measured: how long the leader was silent between two of its messages, how late the
 * own loop's ticks are, and how long the peers' answers take. Each counts by its peak of the last 30 to 60 s, since it
 * is the rare long one that would start a needless election. Etcd and others have one constant for a quiet machine and one that suffers.
 */
export class AdaptiveTimeout {
  readonly #options: AdaptiveTimeoutOptions;
  readonly #silence = new Peak();
  readonly #lateness = new Peak();
  readonly #roundTrip = new Peak();
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

  /** The slowest peer that answers took so long. */
  answered(roundTripMs: number, nowMs: number): void {
    this.#note(this.#roundTrip, roundTripMs, nowMs);
  }

  /** The base election timeout, in ticks, for now. */
  ticks(nowMs: number): number {
    const { tickMs, ticksMin, ticksMax } = this.#options;
    const neededMs = Math.max(
      silenceFactor * this.#silence.at(nowMs),
      // A tick that is late makes the heartbeats behind it late.
      silenceFactor * (tickMs + this.#lateness.at(nowMs)),
      roundTripFactor * this.#roundTrip.at(nowMs),
    );
    return Math.min(ticksMax, Math.max(ticksMin, Math.ceil(neededMs / tickMs)));
  }

  /** What is longer than the longest wait was a stopped process or a cut network, and no measure of a slow one. */
  #note(peak: Peak, ms: number, nowMs: number): void {
    if (ms <= this.#options.ticksMax * this.#options.tickMs) peak.add(ms, nowMs);
  }
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
