import { ikada } from "#proto/agent.js";
import { invariant } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import type { ObjectCache } from "../../objects/cache.js";
import {
  assignedTo,
  concerns,
  differenceOf,
  encodePod,
  encodeReferenced,
  encodeRemoved,
  nothingAssigned,
} from "./assignments.js";
import type { Assigned } from "./assignments.js";

type Assignments = ikada.agent.v1.IAssignments;
const { Type } = ikada.agent.v1.Assignments;

/** Sends one message; false: the way is full, `resume` will be called when there is room. */
export type SendAssignments = (message: Assignments) => boolean;

/** Objects that go in one message beside its Pods. */
const referencedBytesMax = limits.messageBytesMax / 2;

/**
 * Keeps one agent told what it is to run. Owner: a session.
 *
 * 1. The first message is COMPLETE: all Pods. What does not fit beside them follows in increments of the same revision.
 * 2. Each increment applies to the revision that the message before resulted in.
 * 3. Nothing queues: while the way is full changes are only noted, and one increment tells the difference afterwards.
 */
export class AssignmentFeed {
  readonly #node: string;
  readonly #cache: ObjectCache;
  readonly #term: () => number;
  readonly #send: SendAssignments;
  readonly #changes: { close(): void };
  #told: Assigned = nothingAssigned;
  #toldRevision = 0;
  #complete = false;
  #dirty = true;
  #full = false;

  constructor(node: string, cache: ObjectCache, term: () => number, send: SendAssignments) {
    this.#node = node;
    this.#cache = cache;
    this.#term = term;
    this.#send = send;
    this.#changes = cache.onChanges((changes) => {
      for (const { before, after } of changes) {
        for (const object of [before, after]) this.#dirty ||= !!object && concerns(node, this.#told, object);
      }
      if (this.#dirty) this.#tell();
    });
  }

  /** Sends the first, complete assignments. */
  start(): void {
    this.#tell();
  }

  /** There is room again. */
  resume(): void {
    this.#full = false;
    if (this.#dirty) this.#tell();
  }

  close(): void {
    this.#changes.close();
  }

  #tell(): void {
    if (this.#full) return;
    const now = assignedTo(this.#node, this.#cache.snapshot());
    const { revision } = this.#cache;
    const difference = differenceOf(this.#told, now);
    const first = !this.#complete;
    this.#dirty = false;
    this.#told = now;
    if (!difference && !first) return;
    const { pods = [], objects = [], removedUids = [], removedObjects = [] } = difference ?? {};
    const chunks = chunked(objects.map(encodeReferenced));
    invariant(this.#toldRevision <= revision, "assignments never go back");
    this.#sendOne({
      type: first ? Type.COMPLETE : Type.INCREMENT,
      term: this.#term(),
      appliesTo: this.#toldRevision,
      resultsIn: revision,
      pods: pods.map(encodePod),
      removedUids: [...removedUids],
      objects: [...(chunks[0] ?? [])],
      removedObjects: removedObjects.map(encodeRemoved),
    });
    for (const more of chunks.slice(1)) {
      this.#sendOne({
        type: Type.INCREMENT,
        term: this.#term(),
        appliesTo: revision,
        resultsIn: revision,
        objects: [...more],
      });
    }
    this.#complete = true;
    this.#toldRevision = revision;
  }

  #sendOne(message: Assignments): void {
    if (!this.#send(message)) this.#full = true;
  }
}

function chunked(
  objects: readonly ikada.agent.v1.IAssignedObject[],
): readonly (readonly ikada.agent.v1.IAssignedObject[])[] {
  const chunks: ikada.agent.v1.IAssignedObject[][] = [];
  let bytes = Infinity;
  for (const object of objects) {
    const size = object.json?.length ?? 0;
    if (bytes + size > referencedBytesMax) {
      chunks.push([]);
      bytes = 0;
    }
    chunks.at(-1)?.push(object);
    bytes += size;
  }
  return chunks;
}
