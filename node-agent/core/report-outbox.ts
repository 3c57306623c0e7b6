import type { Env, Timer } from "../../src/base/env.js";
import type { PodStatus } from "../../src/api/kinds/pod.js";

export interface PodReport {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly status: PodStatus;
  /** Nothing is left of the Pod on this node. */
  readonly gone: boolean;
  /** With gone, of a Pod with a fencing lease: the epoch in which that is known. */
  readonly leaseEpoch: number;
}

export interface ReportBatch {
  readonly sequence: number;
  readonly reports: readonly PodReport[];
}

/**
 * Statuses on their way to a server. A change is sent `batchMs` after the first one that waits, whatever comes meanwhile; what is not
 * acknowledged is sent again. Only the latest report of each Pod is kept, so the size is bounded by the number of Pods.
 */
export class ReportOutbox {
  readonly #env: Pick<Env, "timers">;
  /** By uid; `sentIn` is the last batch that carried it, 0: none in this session. */
  readonly #entries = new Map<string, { report: PodReport; sentIn: number; acknowledged: boolean }>();
  #send: ((batch: ReportBatch) => void) | undefined;
  #sequence = 0;
  #timer: Timer | undefined;
  #retry: Timer | undefined;

  constructor(env: Pick<Env, "timers">) {
    this.#env = env;
  }

  /** Reports that no server has acknowledged. */
  get unacknowledged(): number {
    let count = 0;
    for (const entry of this.#entries.values()) if (!entry.acknowledged) count += 1;
    return count;
  }

  put(report: PodReport): void {
    this.#entries.set(report.uid, { report, sentIn: 0, acknowledged: false });
    this.#arm();
  }

  /** Nothing is to be said of this Pod any more. A report that it is gone is still delivered. */
  drop(uid: string): void {
    if (!this.#entries.get(uid)?.report.gone) this.#entries.delete(uid);
  }

  /** A new session: everything is said again, for the server may have missed any of it. */
  connect(send: (batch: ReportBatch) => void): void {
    this.#send = send;
    for (const entry of this.#entries.values()) [entry.sentIn, entry.acknowledged] = [0, false];
    this.#arm();
  }

  disconnect(): void {
    this.#send = undefined;
    this.#timer?.cancel();
    this.#retry?.cancel();
    this.#timer = undefined;
    this.#retry = undefined;
  }

  acknowledge(sequence: number): void {
    for (const [uid, entry] of this.#entries) {
      if (entry.sentIn !== sequence) continue;
      entry.acknowledged = true;
      if (entry.report.gone) this.#entries.delete(uid);
    }
  }

  #arm(): void {
    if (this.#send === undefined) return;
    this.#timer ??= this.#env.timers.after(batchMs, () => {
      this.#timer = undefined;
      this.#flush((entry) => entry.sentIn === 0);
    });
  }

  #flush(wanted: (entry: { sentIn: number; acknowledged: boolean }) => boolean): void {
    const waiting = [...this.#entries.values()].filter((entry) => !entry.acknowledged && wanted(entry));
    for (let at = 0; at < waiting.length; at += batchReportsMax) {
      const part = waiting.slice(at, at + batchReportsMax);
      this.#sequence += 1;
      for (const entry of part) entry.sentIn = this.#sequence;
      this.#send?.({ sequence: this.#sequence, reports: part.map(({ report }) => report) });
    }
    this.#retry?.cancel();
    this.#retry = undefined;
    if (this.unacknowledged > 0) this.#retry = this.#env.timers.after(retryMs, () => this.#flush(() => true));
  }
}

const batchMs = 100;
const retryMs = 5_000;
/** Below a message's size with the largest statuses that occur. */
const batchReportsMax = 200;
