import type { Env } from "../../src/base/env.js";
import { backoffMs, pullBackoff } from "./backoff.js";
import type { ContainerRuntime } from "./runtime.js";

export type ImageResult =
  | { readonly status: "ready"; readonly user: string }
  | {
      readonly status: "failed";
      readonly reason: "ErrImagePull" | "ErrImageNeverPull" | "ImageInspectError";
      readonly message: string;
      readonly failedAt: number;
      readonly retryAt: number;
    };

interface PullState {
  failures: number;
  last: (ImageResult & { status: "failed" }) | undefined;
  /** Those who wait for the pull in flight. */
  waiting: ((result: ImageResult) => void)[] | undefined;
}

/** Gets images for all Pods of the node: one pull of a reference at a time, with one backoff per reference (as kubelet). */
export class Images {
  readonly #env: Pick<Env, "clock">;
  readonly #runtime: ContainerRuntime;
  readonly #pulls = new Map<string, PullState>();

  constructor(env: Pick<Env, "clock">, runtime: ContainerRuntime) {
    this.#env = env;
    this.#runtime = runtime;
  }

  ensure(reference: string, policy: "Always" | "IfNotPresent" | "Never", done: (result: ImageResult) => void): void {
    if (policy === "Always") {
      this.#pull(reference, done);
      return;
    }
    this.#runtime.image(reference, (error, image) => {
      if (error) done(this.#failure("ImageInspectError", error.message, inspectRetryMs));
      else if (image !== undefined) done({ status: "ready", user: image.user });
      else if (policy === "Never") {
        const message = `Container image "${reference}" is not present with pull policy of Never`;
        done(this.#failure("ErrImageNeverPull", message, pullBackoff.firstMs));
      } else this.#pull(reference, done);
    });
  }

  #pull(reference: string, done: (result: ImageResult) => void): void {
    const state = this.#pulls.get(reference) ?? { failures: 0, last: undefined, waiting: undefined };
    this.#pulls.set(reference, state);
    if (state.waiting !== undefined) {
      state.waiting.push(done);
      return;
    }
    if (state.last !== undefined && state.last.retryAt > this.#env.clock.now()) {
      done(state.last);
      return;
    }
    state.waiting = [done];
    this.#runtime.pull(reference, (error, image) => {
      const waiting = state.waiting ?? [];
      state.waiting = undefined;
      let result: ImageResult;
      if (error === null) {
        this.#pulls.delete(reference);
        result = { status: "ready", user: image.user };
      } else {
        state.failures += 1;
        const failure = this.#failure("ErrImagePull", error.message, backoffMs(pullBackoff, state.failures));
        state.last = failure;
        result = failure;
      }
      for (const one of waiting) one(result);
    });
  }

  #failure(
    reason: "ErrImagePull" | "ErrImageNeverPull" | "ImageInspectError",
    message: string,
    retryMs: number,
  ): ImageResult & { status: "failed" } {
    const failedAt = this.#env.clock.now();
    return { status: "failed", reason, message, failedAt, retryAt: failedAt + retryMs };
  }
}

const inspectRetryMs = 1_000;
