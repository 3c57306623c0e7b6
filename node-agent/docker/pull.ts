import { IkadaError } from "../../src/base/errors.js";
import { pullFailure } from "../core/engine-words.js";
import type { PullRequest } from "../core/runtime.js";
import { engineDeadlines, type Engine } from "./engine.js";

/** Pulls and waits for the end. The engine answers 200 first and reports failures inside the stream. */
export async function pullImage(engine: Engine, request: PullRequest, reference: string): Promise<void> {
  const what = `pull ${reference}`;
  const stall = new AbortController();
  // A registry that says nothing any more, as kubelet's image-pull-progress-deadline has it.
  const timer = setTimeout(() => stall.abort(), engineDeadlines.pullStallMs);
  try {
    await engine.call(what, engineDeadlines.pullMs, async (late) => {
      const abortSignal = AbortSignal.any([late, stall.signal]);
      const options = { fromImage: reference, abortSignal };
      const stream = await (request.credentials === undefined
        ? engine.docker.createImage(options)
        : engine.docker.createImage(authOf(request.credentials), options));
      const lines = new PullLines(request.onProgress);
      for await (const chunk of stream) {
        timer.refresh();
        lines.take(String(chunk));
      }
      const failure = lines.end();
      if (failure !== undefined) throw new IkadaError(pullFailure(failure), `docker: ${what}: ${failure}`);
    });
  } catch (caught) {
    if (!stall.signal.aborted) throw refusedBefore(caught, what);
    throw new IkadaError("Deadline", `docker: ${what}: no progress for ${engineDeadlines.pullStallMs} ms`, {}, caught);
  } finally {
    clearTimeout(timer);
  }
}

/** A failure that came before any progress is told by the status of the engine's answer: one for whatever a registry says, or the engine has. */
function refusedBefore(caught: unknown, what: string): IkadaError {
  const error = IkadaError.from(caught);
  const prefix = `docker: ${what}: `;
  const isTold = error.reason === "NotFound" || error.reason === "Internal";
  if (!isTold || !error.message.startsWith(prefix)) return error;
  const reason = pullFailure(error.message.slice(prefix.length));
  return reason === error.reason ? error : new IkadaError(reason, error.message, {}, error);
}

function authOf({ registry, username, password, identityToken }: NonNullable<PullRequest["credentials"]>): object {
  return identityToken === ""
    ? { username, password, serveraddress: registry }
    : { identitytoken: identityToken, serveraddress: registry };
}

/** What the engine tells of a pull: JSON lines. */
class PullLines {
  readonly #onProgress: PullRequest["onProgress"];
  readonly #layers = new Map<string, { currentBytes: number; totalBytes: number }>();
  #rest = "";
  #failure: string | undefined;

  constructor(onProgress: PullRequest["onProgress"]) {
    this.#onProgress = onProgress;
  }

  take(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = (lines.pop() ?? "").slice(0, lineBytesMax);
    for (const line of lines) this.#line(line);
  }

  /** Why it failed, if it did. */
  end(): string | undefined {
    this.#line(this.#rest);
    return this.#failure;
  }

  #line(line: string): void {
    let told: {
      error?: unknown;
      id?: unknown;
      status?: unknown;
      progressDetail?: { current?: number; total?: number };
    };
    try {
      told = JSON.parse(line) as typeof told;
    } catch {
      return;
    }
    if (typeof told.error === "string") this.#failure ??= told.error;
    if (typeof told.id !== "string" || this.#layers.size > layersMax) return;
    const layer = this.#layers.get(told.id);
    const { current, total } = told.progressDetail ?? {};
    if (told.status === "Downloading" && current !== undefined && total !== undefined) {
      this.#layers.set(told.id, { currentBytes: current, totalBytes: total });
    } else if (told.status === "Download complete" && layer !== undefined) layer.currentBytes = layer.totalBytes;
    else return;
    let [currentBytes, totalBytes] = [0, 0];
    for (const one of this.#layers.values()) {
      currentBytes += one.currentBytes;
      totalBytes += one.totalBytes;
    }
    this.#onProgress(currentBytes, totalBytes);
  }
}

const lineBytesMax = 64 * 1024;
const layersMax = 1_000;
