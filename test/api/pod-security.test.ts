import assert from "node:assert/strict";
import { podSecurityFaults, podSecurityLevel, type PodSecurityLevel } from "../../src/api/kinds/pod-security.js";
import type { Container, PodSpec } from "../../src/api/kinds/pod.js";
import { baselineViolations, inContext, secured, strictContainer } from "./baseline-violations.js";

const strict = strictContainer;

function faultsOf(level: PodSecurityLevel, spec: Partial<PodSpec>, annotations?: Record<string, string>): string[] {
  return podSecurityFaults(level, { annotations, spec: { containers: [strict], ...spec }, path: "spec" }).map(
    ({ field }) => field,
  );
}

describe("pod security: baseline refuses", () => {
  for (const { control, name, spec, field } of baselineViolations) {
    it(`${name} (${control})`, () => {
      assert.deepEqual(faultsOf("privileged", spec), []);
      assert.deepEqual(faultsOf("baseline", spec), [field]);
      assert.ok(faultsOf("restricted", spec).includes(field), "restricted has all of baseline");
    });
  }

  it("no AppArmor by annotation", () => {
    const key = "container.apparmor.security.beta.kubernetes.io/main";
    assert.deepEqual(faultsOf("baseline", {}, { [key]: "unconfined" }), [`metadata.annotations[${key}]`]);
    assert.deepEqual(faultsOf("baseline", {}, { [key]: "localhost/mine" }), []);
  });
});

describe("pod security: restricted asks for", () => {
  const table: readonly [string, Partial<PodSpec>, string][] = [
    ["known volumes", { volumes: [{ name: "v", nfs: { server: "s", path: "/" } }] }, "spec.volumes[0].nfs"],
    ["no escalation", secured({ allowPrivilegeEscalation: undefined }), `${inContext}.allowPrivilegeEscalation`],
    ["not root", secured({ runAsNonRoot: undefined }), `${inContext}.runAsNonRoot`],
    ["nobody who is root", secured({ runAsUser: 0 }), `${inContext}.runAsUser`],
    ["a Pod that is not root", { securityContext: { runAsUser: 0 } }, "spec.securityContext.runAsUser"],
    ["a profile", secured({ seccompProfile: undefined }), `${inContext}.seccompProfile.type`],
    ["no capabilities", secured({ capabilities: {} }), `${inContext}.capabilities.drop`],
    ["but one", secured({ capabilities: { drop: ["ALL"], add: ["CHOWN"] } }), `${inContext}.capabilities.add[0]`],
  ];
  for (const [name, spec, field] of table) {
    it(name, () => {
      assert.deepEqual(faultsOf("baseline", spec), []);
      assert.deepEqual(faultsOf("restricted", spec), [field]);
    });
  }

  it("no more of a Pod that says it for all its containers", () => {
    const plain: Container = { name: "main", image: "web:1" };
    assert.deepEqual(faultsOf("baseline", { containers: [plain] }), []);
    const shared = { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" as const } };
    const own = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } };
    assert.deepEqual(
      faultsOf("restricted", { securityContext: shared, containers: [{ ...plain, securityContext: own }] }),
      [],
    );
    assert.deepEqual(faultsOf("restricted", {}), []);
  });
});

describe("pod security: a Namespace's labels", () => {
  it("name a level, or none", () => {
    const labels = { "pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "all" };
    assert.equal(podSecurityLevel(labels, "enforce", "baseline"), "restricted");
    assert.equal(podSecurityLevel(labels, "warn", "privileged"), "privileged");
    assert.equal(podSecurityLevel(undefined, "enforce", "baseline"), "baseline");
  });
});
