import type { Env } from "../../src/base/env.js";
import { backoffMs, pullBackoff } from "./backoff.js";
import { EngineSlots } from "./engine-slots.js";
import { parseImageReference, taggedReference } from "./image-reference.js";
import type { PullSecrets } from "./registry-credentials.js";
import type { ContainerRuntime, ImageInfo } from "./runtime.js";

export type ImageFailureReason = "ErrImagePull" | "ErrImageNeverPull" | "ImageInspectError" | "InvalidImageName";

export type ImageResult =
  | { readonly status: "ready"; readonly user: string }
  | {
      readonly status: "failed";
      readonly reason: ImageFailureReason;
      readonly message: string;
      readonly failedAt: number;
      readonly retryAt: number;
    };

type ImageFailure = ImageResult & { status: "failed" };

interface ImageRequest {
  readonly reference: string;
  readonly policy: "Always" | "IfNotPresent" | "Never";
  readonly secrets: PullSecrets;
}

interface Waiter {
  readonly done: (result: ImageResult) => void;
  readonly onProgress: (message: string) => void;
}

interface PullState {
  failures: number;
  last: ImageFailure | undefined;
  /** Those who wait for the pull in flight. */
  waiting: Waiter[] | undefined;
}

/** Images that this agent brought to the engine. */
export interface ImageOwnership {
  /** `wasThere`: ids of images that the engine had before the pull. */
  brought(image: ImageInfo, reference: string, wasThere: ReadonlySet<string>): void;
}

/**
 * Gets images for all Pods of the node: one pull of a reference with the same credentials at a time, with one backoff (as kubelet), and a
 * few pulls in all.
 */
export class Images {
  readonly #env: Pick<Env, "clock" | "log">;
  readonly #runtime: ContainerRuntime;
  readonly #ownership: ImageOwnership;
  readonly #slots: EngineSlots;
  /** By reference and credentials: what one Pod may not pull says nothing of another. */
  readonly #pulls = new Map<string, PullState>();

  constructor(
    env: Pick<Env, "clock" | "log">,
    runtime: ContainerRuntime,
    ownership: ImageOwnership,
    parallelMax = pullsMax,
  ) {
    this.#env = env;
    this.#runtime = runtime;
    this.#ownership = ownership;
    this.#slots = new EngineSlots(parallelMax);
  }

  /** `onProgress` gets a text for the container's status, now and then, while a pull takes its time. */
  ensure(request: ImageRequest, done: Waiter["done"], onProgress: Waiter["onProgress"] = () => undefined): void {
    const { reference, policy } = request;
    if (parseImageReference(reference) === undefined) {
      const message = `Failed to apply default image tag "${reference}": couldn't parse image name: invalid reference format`;
      done(this.#failure("InvalidImageName", message, pullBackoff.maxMs));
      return;
    }
    if (policy === "Always") {
      this.#pull(request, { done, onProgress });
      return;
    }
    this.#runtime.image(reference, (error, image) => {
      if (error) done(this.#failure("ImageInspectError", error.message, inspectRetryMs));
      else if (image !== undefined) done({ status: "ready", user: image.user });
      else if (policy === "Never") {
        const message = `Container image "${reference}" is not present with pull policy of Never`;
        done(this.#failure("ErrImageNeverPull", message, pullBackoff.firstMs));
      } else this.#pull(request, { done, onProgress });
    });
  }

  #pull(request: ImageRequest, waiter: Waiter): void {
    const now = this.#env.clock.now();
    // As kubelet: a failure is forgotten when nobody has asked for twice the longest pause.
    for (const [key, { last, waiting }] of this.#pulls) {
      if (waiting === undefined && last !== undefined && now - last.failedAt > 2 * pullBackoff.maxMs)
        this.#pulls.delete(key);
    }
    const key = `${request.reference}\n${JSON.stringify(request.secrets.credentials)}`;
    const state = this.#pulls.get(key) ?? { failures: 0, last: undefined, waiting: undefined };
    this.#pulls.set(key, state);
    if (state.waiting !== undefined) {
      state.waiting.push(waiter);
      return;
    }
    if (state.last !== undefined && state.last.retryAt > now) {
      waiter.done(state.last);
      return;
    }
    state.waiting = [waiter];
    this.#slots.run((over) => {
      const finish = (error: Error | null, image: ImageInfo): void => {
        over();
        this.#finish(key, state, request, error, image);
      };
      this.#runtime.images((error, before) => {
        if (error !== null) return finish(error, noImage);
        return this.#attempt(state, request, new Set(before.map(({ id }) => id)), 0, finish);
      });
    });
  }

  /** With one set of credentials after the other, without any when there are none. */
  #attempt(
    state: PullState,
    request: ImageRequest,
    wasThere: ReadonlySet<string>,
    index: number,
    finish: (error: Error | null, image: ImageInfo) => void,
  ): void {
    const { reference, secrets } = request;
    let toldAt = this.#env.clock.monotonic();
    const onProgress = (currentBytes: number, totalBytes: number): void => {
      if (this.#env.clock.monotonic() - toldAt < progressMs) return;
      toldAt = this.#env.clock.monotonic();
      const message = `Pulling image "${reference}": ${megabytes(currentBytes)} of ${megabytes(totalBytes)} MB`;
      for (const waiter of state.waiting ?? []) waiter.onProgress(message);
    };
    this.#runtime.pull({ reference, credentials: secrets.credentials[index], onProgress }, (error, image) => {
      if (error === null) {
        this.#ownership.brought(image, taggedReference(reference), wasThere);
        this.#env.log.info("pulled image", { image: reference, id: image.id });
        finish(null, image);
      } else if (index + 1 < secrets.credentials.length) this.#attempt(state, request, wasThere, index + 1, finish);
      else finish(error, noImage);
    });
  }

  #finish(
    key: string,
    state: PullState,
    { reference, secrets }: ImageRequest,
    error: Error | null,
    image: ImageInfo,
  ): void {
    const waiting = state.waiting ?? [];
    state.waiting = undefined;
    let result: ImageResult;
    if (error === null) {
      this.#pulls.delete(key);
      result = { status: "ready", user: image.user };
    } else {
      state.failures += 1;
      const faults = secrets.faults.length === 0 ? "" : `; imagePullSecrets: ${secrets.faults.join(", ")}`;
      const message = `${error.message}${faults}`;
      const failure = this.#failure("ErrImagePull", message, backoffMs(pullBackoff, state.failures));
      state.last = failure;
      this.#env.log.warn("image not pulled", { image: reference, error: message, failures: state.failures });
      result = failure;
    }
    for (const { done } of waiting) done(result);
  }

  #failure(reason: ImageFailureReason, message: string, retryMs: number): ImageFailure {
    const failedAt = this.#env.clock.now();
    return { status: "failed", reason, message, failedAt, retryAt: failedAt + retryMs };
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

const noImage: ImageInfo = { id: "", user: "" };
const inspectRetryMs = 1_000;
/** How often the progress of a pull is told: each time is a write of the Pod's status. */
const progressMs = 5_000;
/** Pulls at once by default: layers of one image are fetched in parallel already. */
const pullsMax = 3;
