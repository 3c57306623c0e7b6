import assert from "node:assert/strict";
import {
  fencingLeaseAnnotation,
  fencingLeaseMs,
  fencingLeaseOverMs,
  leaseRevokedType,
} from "../../src/api/kinds/fencing-lease.js";
import type { AnyObject } from "../../src/api/object.js";
import { validateChange, validateObject } from "../../src/api/validate.js";
import { deleteObject } from "../../src/objects/delete-object.js";
import { deploymentManifest, noon, objectOf, podManifest, withValue } from "./manifests.js";

const podWith = (value: unknown): AnyObject =>
  objectOf(withValue(podManifest(), "metadata.annotations", { [fencingLeaseAnnotation]: value }));

describe("the fencing lease of a Pod", () => {
  it("is a whole number of seconds within bounds, and nothing else", () => {
    for (const text of ["10", "15", "3600"]) assert.deepEqual(validateObject(podWith(text)), [], text);
    for (const text of ["9", "3601", "0", "-15", "15s", " 15", "1e2", "015", "15.0", ""]) {
      const [fault] = validateObject(podWith(text));
      assert.equal(fault?.field, `metadata.annotations[${fencingLeaseAnnotation}]`, text);
      assert.match(fault?.message ?? "", /whole number of seconds from 10 to 3600/);
      assert.equal(fencingLeaseMs(podWith(text)), undefined);
    }
    assert.equal(fencingLeaseMs(podWith("15")), 15_000);
  });

  it("is checked in a template", () => {
    const path = "spec.template.metadata.annotations";
    const manifest = withValue(deploymentManifest(), path, { [fencingLeaseAnnotation]: "soon" });
    const [fault] = validateObject(objectOf(manifest));
    assert.equal(fault?.field, `${path}[${fencingLeaseAnnotation}]`);
  });

  it("stays as it was created", () => {
    const faults = (before: AnyObject, after: AnyObject): readonly string[] =>
      validateChange(before, after).map(({ field, reason }) => `${field} ${reason}`);
    const without = objectOf(podManifest());
    const immutable = [`metadata.annotations[${fencingLeaseAnnotation}] Immutable`];
    assert.deepEqual(faults(podWith("15"), podWith("20")), immutable);
    assert.deepEqual(faults(podWith("15"), without), immutable);
    assert.deepEqual(faults(without, podWith("15")), immutable);
    assert.deepEqual(faults(podWith("15"), podWith("15")), []);
  });

  it("that is revoked stays so", () => {
    const revoked = { ...podWith("15"), status: { conditions: [{ type: leaseRevokedType, status: "True" }] } };
    const [fault] = validateChange(revoked, { ...revoked, status: { conditions: [] } });
    assert.equal(fault?.reason, "Immutable");
    assert.deepEqual(validateChange(revoked, revoked), []);
  });

  it("keeps the object when the Pod is deleted without a grace", () => {
    const bound = withValue(podManifest(), "spec.nodeName", "alpha");
    const plain = objectOf(bound);
    const leased = objectOf(withValue(bound, "metadata.annotations", { [fencingLeaseAnnotation]: "15" }));
    assert.equal(deleteObject(plain, { gracePeriodSeconds: 0 }, noon).removed, true);
    const { removed, object } = deleteObject(leased, { gracePeriodSeconds: 0 }, noon);
    assert.deepEqual([removed, object.metadata.deletionGracePeriodSeconds], [false, 1]);
  });

  it("has ended for certain only after more than its time", () => {
    assert.equal(fencingLeaseOverMs(10_000), 11_100);
    assert.equal(fencingLeaseOverMs(3_600_000), 3_637_000);
  });
});
