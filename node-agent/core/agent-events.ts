import type { Env, Timer } from "../../src/base/env.js";

/** Something that people want to know of, about a Pod or, without one, about this Node. */
export interface AgentEvent {
  readonly pod: EventPod | undefined;
  /** The part of the Pod, e.g. `spec.containers{main}`. */
  readonly fieldPath: string | undefined;
  readonly type: "Normal" | "Warning";
  /** Kubernetes' names. */
  readonly reason: string;
  readonly message: string;
}

export interface EventPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
}

export interface EventBatch {
  readonly sequence: number;
  readonly events: readonly { readonly event: AgentEvent; readonly count: number }[];
}

interface Entry {
  readonly event: AgentEvent;
  /** Times it happened that no server was told of. */
  count: number;
  /** Of those, how many are on their way. */
  sent: number;
  /** Monotonic milliseconds: not to be sent before. */
  dueAt: number;
  pauseMs: number;
  toldAt: number;
}

/**
 * Events on their way to a server. The same thing again is counted, and told again after pauses that grow; one batch is on its way at a time. What
 * waits is bounded, by Pod as well: what is too much is thrown away, what is normal first. A batch whose acknowledgement was lost is sent again,
 * so a count may come out too high.
 */
export class EventOutbox {
  readonly #env: Pick<Env, "clock" | "timers" | "log">;
  readonly #entries = new Map<string, Entry>();
  /** By Pod: how many more kinds of events it may tell of, as of when. */
  readonly #allowances = new Map<string, { left: number; at: number }>();
  #send: ((batch: EventBatch) => void) | undefined;
  #sequence = 0;
  #inFlight = false;
  #timer: Timer | undefined;
  /** Thrown away since the start. */
  dropped = 0;

  constructor(env: Pick<Env, "clock" | "timers" | "log">) {
    this.#env = env;
  }

  tell(event: AgentEvent): void {
    const now = this.#env.clock.monotonic();
    const key = JSON.stringify([event.pod?.uid, event.fieldPath, event.type, event.reason, event.message]);
    const known = this.#entries.get(key);
    if (known !== undefined) {
      known.count += 1;
      known.toldAt = now;
    } else if (this.#allows(event, now) && this.#makeRoom(event, now)) {
      const entry = { event, count: 1, sent: 0, dueAt: now + batchMs, pauseMs: pauseMsMin, toldAt: now };
      this.#entries.set(key, entry);
    } else {
      if (this.dropped === 0) this.#env.log.warn("too many events: some are not told", { reason: event.reason });
      this.dropped += 1;
    }
    this.#arm();
  }

  connect(send: (batch: EventBatch) => void): void {
    this.#takeBack();
    this.#send = send;
    this.#arm();
  }

  disconnect(): void {
    this.#send = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#takeBack();
  }

  acknowledge(sequence: number): void {
    if (sequence !== this.#sequence || !this.#inFlight) return;
    const now = this.#env.clock.monotonic();
    for (const entry of this.#entries.values()) {
      if (entry.sent === 0) continue;
      entry.count -= entry.sent;
      entry.sent = 0;
      entry.dueAt = now + entry.pauseMs;
      entry.pauseMs = Math.min(entry.pauseMs * 2, pauseMsMax);
    }
    this.#inFlight = false;
    this.#arm();
  }

  #takeBack(): void {
    for (const entry of this.#entries.values()) entry.sent = 0;
    this.#inFlight = false;
  }

  #arm(): void {
    if (this.#send === undefined || this.#inFlight) return;
    this.#timer?.cancel();
    const dues = [...this.#entries.values()].filter(({ count }) => count > 0).map(({ dueAt }) => dueAt);
    if (dues.length === 0) return;
    const delayMs = Math.max(0, Math.min(...dues) - this.#env.clock.monotonic());
    this.#timer = this.#env.timers.after(delayMs, () => this.#flush());
  }

  #flush(): void {
    const now = this.#env.clock.monotonic();
    const due = [...this.#entries.values()].filter(({ count, dueAt }) => count > 0 && dueAt <= now);
    const batch = due.slice(0, batchEventsMax);
    if (batch.length === 0) return this.#arm();
    this.#sequence += 1;
    this.#inFlight = true;
    for (const entry of batch) entry.sent = entry.count;
    this.#send?.({ sequence: this.#sequence, events: batch.map(({ event, sent }) => ({ event, count: sent })) });
    this.#timer = this.#env.timers.after(retryMs, () => {
      this.#takeBack();
      this.#arm();
    });
  }

  /** A Pod that tells something new all the time would hide what the others have to say. */
  #allows({ pod }: AgentEvent, now: number): boolean {
    if (pod === undefined) return true;
    const known = this.#allowances.get(pod.uid) ?? { left: eventsPerPod, at: now };
    const left = Math.min(eventsPerPod, known.left + (now - known.at) / eventEveryMs);
    if (this.#allowances.size >= entriesMax) this.#allowances.clear();
    this.#allowances.set(pod.uid, { left: left < 1 ? left : left - 1, at: now });
    return left >= 1;
  }

  #makeRoom({ type }: AgentEvent, now: number): boolean {
    for (const [key, { count, toldAt }] of this.#entries)
      if (count === 0 && now - toldAt > forgottenMs) this.#entries.delete(key);
    if (this.#entries.size < entriesMax) return true;
    const rest = [...this.#entries].filter(([, { sent }]) => sent === 0);
    const told = rest.find(([, { count }]) => count === 0);
    const normal = type === "Warning" ? rest.find(([, { event }]) => event.type === "Normal") : undefined;
    const victim = told ?? normal;
    if (victim === undefined) return false;
    if (victim[1].count > 0) this.dropped += 1;
    return this.#entries.delete(victim[0]);
  }
}

const batchMs = 100;
const retryMs = 5_000;
const batchEventsMax = 64;
const entriesMax = 512;
/** After the first time, until the same is told again. */
const pauseMsMin = 5_000;
const pauseMsMax = 300_000;
/** What was not heard of for so long begins anew; a server counts on for as long. */
const forgottenMs = 600_000;
/** Different events that one Pod may tell of at once, and how often one more after that. */
const eventsPerPod = 25;
const eventEveryMs = 30_000;
