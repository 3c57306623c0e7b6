import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { AnyObject } from "../../../src/api/object.js";
import { kindNamed, kinds } from "../../../src/api/registry.js";
import { groupKindOf } from "../../../src/api/kind.js";
import { decodeRecord, encodeObject } from "../../../src/objects/encode.js";
import { keyOfObject, kindPrefix, parseStoreKey, storeKey } from "../../../src/objects/keys.js";
import { InvariantError } from "../../../src/base/errors.js";
import { deploymentManifest, objectOf } from "../manifests.js";

/** The record that the store makes of an object at a revision. */
function stored(object: AnyObject, revision: number): AnyObject {
  const { bytes, revisionAt } = encodeObject(object);
  const value = Buffer.concat([
    bytes.subarray(0, revisionAt),
    Buffer.from(String(revision)),
    bytes.subarray(revisionAt),
  ]);
  return decodeRecord({ key: "k", value, createRevision: 1, modRevision: revision, version: 1 });
}

describe("keys of objects in the store", () => {
  it("come back as what they were made of", () => {
    for (const kind of kinds) {
      const key = { groupKind: groupKindOf(kind), namespace: kind.namespaced ? "default" : "", name: "web" };
      assert.deepEqual(parseStoreKey(storeKey(key)), key);
    }
    assert.equal(storeKey(keyOfObject(objectOf(deploymentManifest()))), "/objects/apps/deployments/default/web");
    assert.equal(storeKey({ groupKind: "/Node", namespace: "", name: "n" }), "/objects/core/nodes/-/n");
  });

  it("never mix Namespaces or kinds whose names begin alike", () => {
    const pods = kindNamed("pods");
    const inA = storeKey({ groupKind: "/Pod", namespace: "a", name: "x" });
    assert.ok(inA.startsWith(kindPrefix(pods, "a")) && inA.startsWith(kindPrefix(pods)));
    assert.ok(!storeKey({ groupKind: "/Pod", namespace: "a-b", name: "x" }).startsWith(kindPrefix(pods, "a")));
    assert.equal(kindPrefix(kindNamed("nodes"), "a"), kindPrefix(kindNamed("nodes")));
  });

  for (const wrong of [
    "/objects/core/pods/a",
    "/objects/core/pods/a/b/c",
    "/objects/core/pots/a/b",
    "/other/core/pods/a/b",
  ])
    it(`refuses ${wrong}`, () => assert.throws(() => parseStoreKey(wrong), /not the key of an object/));
});

describe("the stored form", () => {
  it("has the revision spliced in, whatever stood there before", () => {
    const object = objectOf(deploymentManifest());
    const before = { ...object, metadata: { ...object.metadata, resourceVersion: "9999999" } };
    assert.deepEqual(stored(before, 17), { ...object, metadata: { ...object.metadata, resourceVersion: "17" } });
  });

  it("keeps any JSON through encoding and decoding", () => {
    const name = fc.string({ minLength: 1, unit: "grapheme" });
    fc.assert(
      fc.property(name, fc.dictionary(name, fc.string()), fc.jsonValue(), (text, labels, spec) => {
        const metadata = { name: text, labels: JSON.parse(JSON.stringify(labels)) as Record<string, string> };
        const object = { apiVersion: "v1", kind: "Pod", metadata, spec, status: { phase: text } } as AnyObject;
        const expected = JSON.parse(JSON.stringify(object)) as AnyObject;
        const back = JSON.parse(JSON.stringify(stored(object, 5))) as AnyObject;
        assert.deepEqual(back, { ...expected, metadata: { ...expected.metadata, resourceVersion: "5" } });
      }),
    );
  });

  it("begins with apiVersion, kind and metadata and ends with the status", () => {
    const text = Buffer.from(
      encodeObject({
        status: {},
        metadata: { labels: {}, namespace: "d", name: "n" },
        spec: {},
        kind: "Pod",
        apiVersion: "v1",
      }).bytes,
    ).toString();
    assert.equal(
      text,
      '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"n","namespace":"d","resourceVersion":"","labels":{}},"spec":{},"status":{}}',
    );
  });

  it("is read deep-frozen, and only at its own revision", () => {
    const object = stored(objectOf(deploymentManifest()), 3) as unknown as { spec: { replicas: number } };
    assert.throws(() => (object.spec.replicas = 9), TypeError);
    const { bytes, revisionAt } = encodeObject(objectOf(deploymentManifest()));
    const value = Buffer.concat([bytes.subarray(0, revisionAt), Buffer.from("3"), bytes.subarray(revisionAt)]);
    const record = { key: "k", value, createRevision: 1, modRevision: 4, version: 1 };
    assert.throws(() => decodeRecord(record), InvariantError);
  });
});
