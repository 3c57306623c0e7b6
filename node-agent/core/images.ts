import { isImageId, isMovable, pinOf } from "../../src/api/image-pins.js";
import { parseImageReference, taggedReference } from "../../src/api/image-reference.js";
import type { Done, Env } from "../../src/base/env.js";
import { backoffMs, pullBackoff } from "./backoff.js";
import { EngineSlots } from "./engine-slots.js";
import type { PullSecrets } from "./registry-credentials.js";
import type { ContainerRuntime, ImageInfo } from "./runtime.js";

export type ImageFailureReason = "ErrImagePull" | "ErrImageNeverPull" | "ImageInspectError" | "InvalidImageName";

export type ImageResult =
  | {
      readonly status: "ready";
      /** What to make containers from: it does not move, whatever becomes of the tag. */
      readonly reference: string;
      readonly id: string;
      readonly user: string;
      /** How long its pull took; absent when it was there. */
      readonly pulledMs?: number;
    }
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
  /** Which bytes of it alone will do: a `repository@digest` or an image's id. */
  readonly pin?: string | undefined;
  readonly policy: "Always" | "IfNotPresent" | "Never";
  readonly secrets: PullSecrets;
}

interface Waiter {
  readonly done: (result: ImageResult) => void;
  readonly onProgress: (message: string) => void;
  readonly onPull: () => void;
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

interface ImagesOptions {
  readonly env: Pick<Env, "clock" | "log">;
  readonly runtime: ContainerRuntime;
  readonly ownership: ImageOwnership;
  /** By a key that no other process has: a failed pull is remembered for minutes, its credentials are not. */
  readonly keyedHash: (text: string) => string;
  /** Pulls at once. */
  readonly parallelMax?: number | undefined;
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
  readonly #keyedHash: (text: string) => string;
  /** Who waits for the engine's word about a reference. */
  readonly #looks = new Map<string, Done<ImageInfo | undefined>[]>();
  /** By what is pulled and a hash of the credentials: what one Pod may not pull says nothing of another. */
  readonly #pulls = new Map<string, PullState>();

  constructor({ env, runtime, ownership, keyedHash, parallelMax = pullsMax }: ImagesOptions) {
    this.#env = env;
    this.#runtime = runtime;
    this.#ownership = ownership;
    this.#keyedHash = keyedHash;
    this.#slots = new EngineSlots(parallelMax);
  }

  /** `onProgress` gets a text for the container's status, now and then, while a pull takes its time; `onPull` is called when there is one. */
  ensure(
    request: ImageRequest,
    done: Waiter["done"],
    onProgress: Waiter["onProgress"] = () => undefined,
    onPull: Waiter["onPull"] = () => undefined,
  ): void {
    const { reference, policy } = request;
    if (parseImageReference(reference) === undefined) {
      const message = `Failed to apply default image tag "${reference}": couldn't parse image name: invalid reference format`;
      done(this.#failure("InvalidImageName", message, pullBackoff.maxMs));
      return;
    }
    const wanted = request.pin ?? reference;
    if (policy === "Always" && !isImageId(wanted)) {
      this.#pull(request, { done, onProgress, onPull });
      return;
    }
    this.#look(wanted, (error, image) => {
      if (error) done(this.#failure("ImageInspectError", error.message, inspectRetryMs));
      else if (image !== undefined) done(readyAs(request, image));
      else if (policy === "Never") done(this.#failure("ErrImageNeverPull", absent(request), pullBackoff.firstMs));
      else this.#pull(request, { done, onProgress, onPull });
    });
  }

  /** Pods that begin together often have the same image: the engine is asked once for all. */
  #look(reference: string, done: Done<ImageInfo | undefined>): void {
    const waiting = this.#looks.get(reference);
    if (waiting !== undefined) {
      waiting.push(done);
      return;
    }
    const asking = [done];
    this.#looks.set(reference, asking);
    this.#runtime.image(reference, (error, image) => {
      this.#looks.delete(reference);
      for (const one of asking) one(error, image);
    });
  }

  #pull(request: ImageRequest, waiter: Waiter): void {
    const now = this.#env.clock.now();
    // As kubelet: a failure is forgotten when nobody has asked for twice the longest pause.
    for (const [key, { last, waiting }] of this.#pulls) {
      if (waiting === undefined && last !== undefined && now - last.failedAt > 2 * pullBackoff.maxMs)
        this.#pulls.delete(key);
    }
    const credentials = this.#keyedHash(JSON.stringify(request.secrets.credentials));
    const key = `${request.reference}\n${request.pin ?? ""}\n${credentials}`;
    const state = this.#pulls.get(key) ?? { failures: 0, last: undefined, waiting: undefined };
    this.#pulls.set(key, state);
    if (state.waiting !== undefined) {
      state.waiting.push(waiter);
      waiter.onPull();
      return;
    }
    if (state.last !== undefined && state.last.retryAt > now) {
      waiter.done(state.last);
      return;
    }
    state.waiting = [waiter];
    waiter.onPull();
    const begunAt = this.#env.clock.monotonic();
    this.#slots.run((over) => {
      const finish = (error: Error | null, image: ImageInfo): void => {
        over();
        const pulledMs = this.#env.clock.monotonic() - begunAt;
        this.#finish(key, state, request, error, { ...image, pulledMs });
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
    const { secrets } = request;
    const reference = pulledFor(request);
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
    request: ImageRequest,
    pullError: Error | null,
    image: ImageInfo & { readonly pulledMs: number },
  ): void {
    const { reference, pin, secrets } = request;
    const error = pullError ?? otherBytes(request, image);
    const waiting = state.waiting ?? [];
    state.waiting = undefined;
    let result: ImageResult;
    if (error === null) {
      this.#pulls.delete(key);
      result = { ...readyAs(request, image), pulledMs: image.pulledMs };
    } else {
      state.failures += 1;
      const faults = secrets.faults.length === 0 ? "" : `; imagePullSecrets: ${secrets.faults.join(", ")}`;
      const pinned = pin === undefined ? "" : `; "${reference}" is ${pin} in this revision; ${afreshHint}`;
      const message = `${error.message}${faults}${pinned}`;
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

/** What the engine is asked to pull: an image's id says nothing to a registry. */
function pulledFor({ reference, pin }: ImageRequest): string {
  return pin === undefined || isImageId(pin) ? reference : pin;
}

function readyAs({ reference, pin }: ImageRequest, image: ImageInfo): ImageResult & { status: "ready" } {
  const lasting = isMovable(reference) ? pinOf(reference, image) : taggedReference(reference);
  return { status: "ready", reference: pin ?? lasting, id: image.id, user: image.user };
}

/** Why what was pulled will not do, when the pin is an image's id. */
function otherBytes({ reference, pin }: ImageRequest, { id }: ImageInfo): Error | null {
  if (pin === undefined || !isImageId(pin) || pin === id) return null;
  return new Error(`"${reference}" is ${id} in its registry`);
}

function absent({ reference, pin }: ImageRequest): string {
  const plain = `Container image "${reference}" is not present with pull policy of Never`;
  return pin === undefined ? plain : `${plain}: in this revision it is ${pin}; load that one here, or ${afreshHint}`;
}

const afreshHint = "`ikada rollout restart` makes a revision that looks it up afresh";

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

const noImage: ImageInfo = { id: "", digests: [], user: "" };
const inspectRetryMs = 1_000;
/** How often the progress of a pull is told: each time is a write of the Pod's status. */
const progressMs = 5_000;
/** Pulls at once by default: layers of one image are fetched in parallel already. */
const pullsMax = 3;
