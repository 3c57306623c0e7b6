import assert from "node:assert/strict";
import { podSecurityFaults, podSecurityLevel, type PodSecurityLevel } from "../../src/api/kinds/pod-security.js";
import type { Container, PodSpec } from "../../src/api/kinds/pod.js";

const strict: Container = {
  name: "main",
  image: "web:1",
  securityContext: {
    allowPrivilegeEscalation: false,
    runAsNonRoot: true,
    capabilities: { drop: ["ALL"], add: ["NET_BIND_SERVICE"] },
    seccompProfile: { type: "RuntimeDefault" },
  },
};

function faultsOf(level: PodSecurityLevel, spec: Partial<PodSpec>, annotations?: Record<string, string>): string[] {
  return podSecurityFaults(level, { annotations, spec: { containers: [strict], ...spec }, path: "spec" }).map(
    ({ field }) => field,
  );
}

/** A strict container with this in its security context, or beside it. */
const secured = (context: object): Partial<PodSpec> => ({
  containers: [{ ...strict, securityContext: { ...strict.securityContext, ...context } }],
});
const having = (more: object): Partial<PodSpec> => ({ containers: [{ ...strict, ...more }] });

const inContext = "spec.containers[0].securityContext";

describe("pod security: baseline refuses", () => {
  const table: readonly [string, Partial<PodSpec>, string][] = [
    [
      "a process of the host",
      secured({ windowsOptions: { hostProcess: true } }),
      `${inContext}.windowsOptions.hostProcess`,
    ],
    ["the node's network", { hostNetwork: true }, "spec.hostNetwork"],
    ["the node's processes", { hostPID: true }, "spec.hostPID"],
    ["the node's communication", { hostIPC: true }, "spec.hostIPC"],
    ["a privileged container", secured({ privileged: true }), `${inContext}.privileged`],
    [
      "more capabilities",
      secured({ capabilities: { add: ["NET_RAW"], drop: ["ALL"] } }),
      `${inContext}.capabilities.add[0]`,
    ],
    ["the node's files", { volumes: [{ name: "v", hostPath: { path: "/" } }] }, "spec.volumes[0].hostPath"],
    [
      "the node's ports",
      having({ ports: [{ containerPort: 1, hostPort: 1 }] }),
      "spec.containers[0].ports[0].hostPort",
    ],
    [
      "a probe of another host",
      having({ livenessProbe: { httpGet: { port: 1, host: "192.0.2.1" } } }),
      "spec.containers[0].livenessProbe.httpGet.host",
    ],
    [
      "a hook to another host",
      having({ lifecycle: { preStop: { httpGet: { port: 1, host: "192.0.2.1" } } } }),
      "spec.containers[0].lifecycle.preStop.httpGet.host",
    ],
    ["no AppArmor", secured({ appArmorProfile: { type: "Unconfined" } }), `${inContext}.appArmorProfile.type`],
    ["another SELinux type", secured({ seLinuxOptions: { type: "spc_t" } }), `${inContext}.seLinuxOptions.type`],
    ["an SELinux user", secured({ seLinuxOptions: { user: "u" } }), `${inContext}.seLinuxOptions.user`],
    ["an open /proc", secured({ procMount: "Unmasked" }), `${inContext}.procMount`],
    ["all system calls", secured({ seccompProfile: { type: "Unconfined" } }), `${inContext}.seccompProfile.type`],
    [
      "all system calls for the Pod",
      { securityContext: { seccompProfile: { type: "Unconfined" } } },
      "spec.securityContext.seccompProfile.type",
    ],
    [
      "a sysctl that is not safe",
      { securityContext: { sysctls: [{ name: "kernel.msgmax", value: "1" }] } },
      "spec.securityContext.sysctls[0].name",
    ],
    [
      "an init container's too",
      { initContainers: [{ ...strict, name: "i", securityContext: { ...strict.securityContext, privileged: true } }] },
      "spec.initContainers[0].securityContext.privileged",
    ],
  ];
  for (const [name, spec, field] of table) {
    it(name, () => {
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
