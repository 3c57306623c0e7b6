import { fencingLeaseMs, isLeaseRevoked } from "../../api/kinds/fencing-lease.js";
import type { Pod } from "../../api/kinds/pod.js";
import type { Done } from "../../base/env.js";
import { IkadaError } from "../../base/errors.js";
import { keyOfObject, storeKey } from "../../objects/keys.js";
import type { ObjectCache } from "../../objects/cache.js";
import type { StoreCalls } from "./store-calls.js";

export interface RenewalRequest {
  readonly sequence: number;
  readonly instance: string;
  readonly podUids: readonly string[];
}

/** Decoded LeasesRenewed. */
export interface Renewal {
  readonly sequence: number;
  readonly epoch: number;
  readonly first: boolean;
  readonly podUids: readonly string[];
}

/** Pods in one request; a node runs fewer. */
export const renewalPodsMax = 1024;
/** Questions of one session that may wait for a quorum; more are not answered, the agent asks again. */
const inWorkMax = 4;
/** An agent has asked again, perhaps somewhere else, by then. */
const answerMsMax = 5_000;
/** Two sessions of a node race for it at most. */
const takeAttemptsMax = 4;

const prefix = "/allocations/fencing-leases/";

/**
 * Renews the fencing leases of one node's Pods, for one session.
 *
 * 1. A renewal is read from a state that a quorum has confirmed after the request came: the Pod is there, bound to this node, and its lease is
 *    not revoked. A server that is cut off or deposed renews nothing.
 * 2. One instance at a time holds a node's leases. Which one is in the log, under a key whose revision is the epoch; a session takes them over
 *    with its first request, and one that has lost them to another instance ends. Nothing else is written.
 */
export class LeaseGrants {
  readonly #node: string;
  readonly #store: Pick<StoreCalls, "peek" | "barrierThen" | "writeThen">;
  readonly #cache: Pick<ObjectCache, "snapshot">;
  readonly #key: string;
  /** 0 until this session holds them. */
  #epoch = 0;
  #inWork = 0;

  constructor(
    node: string,
    store: Pick<StoreCalls, "peek" | "barrierThen" | "writeThen">,
    cache: Pick<ObjectCache, "snapshot">,
  ) {
    this.#node = node;
    this.#store = store;
    this.#cache = cache;
    this.#key = `${prefix}${node}`;
  }

  /** Calls back once, or not at all while too many questions are open. Error BadRequest or Conflict: the session is to end; others pass. */
  renew(request: RenewalRequest, done: Done<Renewal>): void {
    const fault = faultOf(request);
    if (fault !== undefined) return done(fault, nothingRenewed);
    if (this.#inWork >= inWorkMax) return undefined;
    this.#inWork += 1;
    const finish: Done<Renewal> = (error, renewal) => {
      this.#inWork -= 1;
      done(error, renewal);
    };
    return this.#store.barrierThen(
      (error) => (error === null ? this.#hold(request, takeAttemptsMax, finish) : finish(error, nothingRenewed)),
      { deadlineMs: answerMsMax },
    );
  }

  /** Whether what an agent knew in that epoch holds still: no other instance has taken over since. Error when no quorum says so. */
  confirm(epoch: number, done: Done<boolean>): void {
    this.#store.barrierThen(
      (error) => done(error, error === null && this.#store.peek(this.#key)?.modRevision === epoch),
      { deadlineMs: answerMsMax },
    );
  }

  /** Makes sure that this instance holds the node's leases, and renews. */
  #hold(request: RenewalRequest, attempts: number, done: Done<Renewal>): void {
    const holder = this.#store.peek(this.#key);
    const isHeld = holder !== undefined && new TextDecoder().decode(holder.value) === request.instance;
    if (this.#epoch !== 0 && (!isHeld || holder.modRevision !== this.#epoch)) {
      const message = `another agent has taken over the fencing leases of node ${this.#node}`;
      const hint = "one machine alone may have a node's certificate";
      return done(new IkadaError("Conflict", message, { hint }), nothingRenewed);
    }
    if (isHeld) {
      this.#epoch = holder.modRevision;
      const podUids = this.#renewable(request.podUids);
      const { sequence } = request;
      return done(null, { sequence, epoch: holder.modRevision, first: holder.version === 1, podUids });
    }
    if (attempts === 0) return done(new IkadaError("Unavailable", "others take the leases over"), nothingRenewed);
    const { instance } = request;
    const key = this.#key;
    const txn = {
      compares: [{ key, target: "modRevision", operator: "=", operand: holder?.modRevision ?? 0 }],
      success: [{ type: "put", key, value: new TextEncoder().encode(instance), revisionAt: -1 }],
      failure: [],
    } as const;
    return this.#store.writeThen(
      { txns: [txn], origin: `node:${this.#node}` },
      (error) => (error === null ? this.#hold(request, attempts - 1, done) : done(error, nothingRenewed)),
      { deadlineMs: answerMsMax },
    );
  }

  #renewable(uids: readonly string[]): readonly string[] {
    const asked = new Set(uids);
    return this.#cache
      .snapshot()
      .podsOnNode<Pod>(this.#node)
      .filter((pod) => asked.has(pod.metadata.uid ?? "") && fencingLeaseMs(pod) !== undefined && !isLeaseRevoked(pod))
      .filter((pod) => this.#isCurrent(pod))
      .map((pod) => pod.metadata.uid ?? "");
  }

  /** The cache follows the store; what it has not followed yet is not renewed. */
  #isCurrent(pod: Pod): boolean {
    const record = this.#store.peek(storeKey(keyOfObject(pod as never)));
    return record !== undefined && String(record.modRevision) === pod.metadata.resourceVersion;
  }
}

const nothingRenewed: Renewal = { sequence: 0, epoch: 0, first: false, podUids: [] };

function faultOf({ instance, podUids }: RenewalRequest): IkadaError | undefined {
  if (podUids.length > renewalPodsMax)
    return new IkadaError("TooLarge", `a renewal of ${podUids.length} leases; ${renewalPodsMax} are allowed`);
  if (/^[-\w/.]{1,128}$/.test(instance)) return undefined;
  return new IkadaError("BadRequest", "a renewal names the agent's instance in up to 128 letters, digits, -, / and .");
}
