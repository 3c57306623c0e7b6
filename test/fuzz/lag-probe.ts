import { Worker } from "node:worker_threads";
import type { TlsMaterial } from "../../src/host/tls.js";

export interface ProbedServer {
  readonly name: string;
  readonly pid: number;
  /** `host:port` */
  readonly raft: string;
  /** As whom it is called: a member that does not lead, since what the leader says counts as a sign of life. */
  readonly asId: number;
  readonly asName: string;
  readonly tls: TlsMaterial;
}

export interface ProbeData {
  readonly servers: readonly ProbedServer[];
  readonly clusterId: string;
}

export type LagReport =
  | { readonly type: "lag"; readonly server: string; readonly answerMs: number; readonly heldMs: number }
  | { readonly type: "lost"; readonly server: string; readonly error: string };

export interface Lag {
  pings: number;
  /** The longest time until an answer, whatever the reason. */
  answerMsMax: number;
  /** The longest time for which the thread was held up. */
  heldMsMax: number;
}

/** A consensus thread that is held up for longer than this stalls. */
export const stallMs = 100;

/**
 * Measures from outside how long the servers' consensus threads are held up. A thread of this process pings each of them as a peer does,
 * some fifty times a second, on a Raft stream of its own; the consensus thread answers by itself, at once when it is free. The time until
 * the answer, without the time for which the kernel had no processor for that thread, is for how long something held it up.
 */
export class LagProbe {
  readonly #worker: Worker;
  readonly #lags = new Map<string, Lag>();

  constructor(data: ProbeData, onFault: (fault: string) => void) {
    this.#worker = new Worker(new URL("./lag-probe-child.js", import.meta.url), { workerData: data });
    this.#worker.on("error", (error: Error) => onFault(`the probe failed: ${error.message}`));
    this.#worker.on("message", (report: LagReport) => {
      if (report.type === "lost") onFault(`the consensus thread of ${report.server} hung up: ${report.error}`);
      else this.#take(report, onFault);
    });
  }

  /** By server. */
  get lags(): ReadonlyMap<string, Lag> {
    return this.#lags;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #take(report: Extract<LagReport, { type: "lag" }>, onFault: (fault: string) => void): void {
    const { server, answerMs, heldMs } = report;
    const lag = this.#lags.get(server) ?? { pings: 0, answerMsMax: 0, heldMsMax: 0 };
    lag.pings += 1;
    lag.answerMsMax = Math.max(lag.answerMsMax, answerMs);
    lag.heldMsMax = Math.max(lag.heldMsMax, heldMs);
    this.#lags.set(server, lag);
    if (heldMs > stallMs) onFault(`the consensus thread of ${server} was held up for ${Math.round(heldMs)} ms`);
  }
}
