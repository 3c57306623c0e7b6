import type { AnyObject } from "../../src/api/object.js";
import type { Controller, Decision, World } from "../../src/controllers/controller.js";
import { keyOfObject } from "../../src/objects/keys.js";
import { snapshotOf } from "../../src/objects/object-index.js";
import type { ObjectKey } from "../../src/objects/snapshot.js";
import { SeededRandom } from "../sim/random.js";
import { any } from "./objects.js";

/** 2026-01-01T00:01:40Z. */
export const now = 1_767_225_700_000;

type Given = { readonly metadata: AnyObject["metadata"] };

/** A world of just these objects, in which every agent was heard of a moment ago. */
export function worldOf(objects: readonly Given[], given: Partial<Omit<World, "snapshot">> = {}): World {
  return {
    snapshot: snapshotOf(objects.map(any)),
    now,
    random: new SeededRandom(1),
    nodeSilentMs: () => 0,
    leaderForMs: 60_000,
    leaseRevokedForMs: () => undefined,
    ...given,
  };
}

/** What the controller decides upon an object of the world. */
export function decide(controller: Controller, about: Given | ObjectKey, world: World): Decision {
  return controller.reconcile("metadata" in about ? keyOfObject(any(about)) : about, world);
}

/** One object of a decision's creates or updates, by kind and name. */
export function changed<T>(decision: Decision, kind: string, name: string): T | undefined {
  const { creates = [], updates = [] } = decision.changes ?? {};
  const found = [...creates, ...updates].find((object) => object.kind === kind && object.metadata.name === name);
  return found as T | undefined;
}

/** A decision in short: `create Pod`, `update ReplicaSet web-1`, `remove /Pod web-1-abc`. */
export function acts(decision: Decision): readonly string[] {
  const { creates = [], updates = [], removes = [] } = decision.changes ?? {};
  return [
    ...creates.map((object) => `create ${object.kind}`),
    ...updates.map(
      (object) =>
        `${object.metadata.deletionTimestamp === undefined ? "update" : "delete"} ${object.kind} ${object.metadata.name}`,
    ),
    ...removes.map((key) => `remove ${key.groupKind} ${key.name}`),
  ];
}
