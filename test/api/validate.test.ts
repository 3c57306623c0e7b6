import assert from "node:assert/strict";
import { validateChange, validateObject } from "../../src/api/validate.js";
import type { AnyObject } from "../../src/api/object.js";
import {
  configMapManifest,
  deploymentManifest,
  noon,
  objectOf,
  podManifest,
  withValue,
  type Manifest,
} from "./manifests.js";
import { toTimestamp } from "../../src/api/time.js";

type Row = readonly [what: string, path: string, value: unknown, ...faults: string[]];

const container = "spec.template.spec.containers.0";
const inContainer = "spec.template.spec.containers[0]";

function faultsOf(object: AnyObject): readonly string[] {
  return validateObject(object).map((fault) => `${fault.field} ${fault.reason}`);
}

function refusals(base: () => Manifest, rows: readonly Row[]): void {
  for (const [what, path, value, ...faults] of rows)
    it(`${faults.length === 0 ? "takes" : "refuses"} ${what}`, () =>
      assert.deepEqual(faultsOf(objectOf(withValue(base(), path, value))), faults));
}

describe("validation", () => {
  it("takes the manifests that the rows below spoil", () => {
    for (const manifest of [deploymentManifest(), podManifest(), configMapManifest()])
      assert.deepEqual(faultsOf(objectOf(manifest)), []);
  });

  describe("metadata", () => {
    const map = (): Manifest => configMapManifest();
    refusals(map, [
      ["a name in capitals", "metadata.name", "Web", "metadata.name Invalid"],
      ["a name of 254 characters", "metadata.name", "a".repeat(254), "metadata.name Invalid"],
      ["a name of 253 characters", "metadata.name", "a".repeat(253)],
      ["a name with a slash", "metadata.name", "a/b", "metadata.name Invalid"],
      ["no name", "metadata.name", undefined, "metadata.name Required"],
      ["no Namespace", "metadata.namespace", undefined, "metadata.namespace Required"],
      ["a Namespace with a dot", "metadata.namespace", "a.b", "metadata.namespace Invalid"],
      ["a label's key with a space", "metadata.labels", { "a b": "" }, "metadata.labels[a b] Invalid"],
      ["a label's key with an empty prefix", "metadata.labels", { "/a": "" }, "metadata.labels[/a] Invalid"],
      ["a label's value of 64 characters", "metadata.labels", { a: "x".repeat(64) }, "metadata.labels[a] Invalid"],
      ["a label's value that ends in a dash", "metadata.labels", { a: "x-" }, "metadata.labels[a] Invalid"],
      ["an empty label", "metadata.labels", { "example.com/a": "" }],
      ["an annotation with any value", "metadata.annotations", { "Example.com/a": "{}\n" }],
      [
        "annotations of more than 256 KiB",
        "metadata.annotations",
        { a: "é".repeat(131_072) },
        "metadata.annotations TooLong",
      ],
      ["a finalizer without a domain", "metadata.finalizers", ["cleanup"], "metadata.finalizers[0] Invalid"],
      ["a finalizer twice", "metadata.finalizers", ["a.b/c", "a.b/c"], "metadata.finalizers[1] Duplicate"],
      ["Kubernetes' own finalizers", "metadata.finalizers", ["orphan", "foregroundDeletion"]],
      [
        "an owner without uid",
        "metadata.ownerReferences",
        [{ apiVersion: "v1", kind: "Pod", name: "a" }],
        "metadata.ownerReferences[0].uid Required",
      ],
      [
        "two controllers",
        "metadata.ownerReferences",
        ["1", "2"].map((uid) => ({ apiVersion: "v1", kind: "Pod", name: "a", uid, controller: true })),
        "metadata.ownerReferences Invalid",
      ],
    ]);
    it("takes generateName for a name", () => {
      const manifest = withValue(withValue(map(), "metadata.name", undefined), "metadata.generateName", "a-");
      assert.deepEqual(faultsOf(objectOf(manifest)), []);
      assert.deepEqual(faultsOf(objectOf(withValue(manifest, "metadata.generateName", "A-"))), [
        "metadata.generateName Invalid",
      ]);
    });
    it("refuses a Namespace for a kind that lives in none", () => {
      const node: Manifest = { apiVersion: "v1", kind: "Node", metadata: { name: "n", namespace: "default" } };
      assert.deepEqual(faultsOf(objectOf(node)), ["metadata.namespace Invalid"]);
    });
  });

  describe("containers", () =>
    refusals(deploymentManifest, [
      ["no containers", "spec.template.spec.containers", [], "spec.template.spec.containers Required"],
      ["no image", `${container}.image`, undefined, `${inContainer}.image Required`],
      ["an empty image", `${container}.image`, "", `${inContainer}.image Required`],
      ["an image with spaces around it", `${container}.image`, " web", `${inContainer}.image Invalid`],
      ["a name with a dot", `${container}.name`, "a.b", `${inContainer}.name Invalid`],
      [
        "two containers of one name",
        "spec.template.spec.containers.1",
        { name: "server", image: "x" },
        "spec.template.spec.containers[1].name Duplicate",
      ],
      [
        "an init container of the same name",
        "spec.template.spec.initContainers",
        [{ name: "server", image: "x" }],
        "spec.template.spec.initContainers[0].name Duplicate",
      ],
      [
        "another pull policy",
        `${container}.imagePullPolicy`,
        "Sometimes",
        `${inContainer}.imagePullPolicy NotSupported`,
      ],
      ["port 0", `${container}.ports.0.containerPort`, 0, `${inContainer}.ports[0].containerPort Invalid`],
      ["port 65536", `${container}.ports.0.containerPort`, 65_536, `${inContainer}.ports[0].containerPort Invalid`],
      ["a port's name in capitals", `${container}.ports.0.name`, "HTTP", `${inContainer}.ports[0].name Invalid`],
      ["a port's name of digits", `${container}.ports.0.name`, "80", `${inContainer}.ports[0].name Invalid`],
      [
        "a port's name of 16 letters",
        `${container}.ports.0.name`,
        "abcdefghijklmnop",
        `${inContainer}.ports[0].name Invalid`,
      ],
      ["another protocol", `${container}.ports.0.protocol`, "ICMP", `${inContainer}.ports[0].protocol NotSupported`],
      ["one port twice", `${container}.ports.1`, { containerPort: 8080 }, `${inContainer}.ports[1] Duplicate`],
      ["one port for two protocols", `${container}.ports.1`, { containerPort: 8080, protocol: "UDP" }],
      [
        "one port's name twice",
        `${container}.ports.1`,
        { containerPort: 81, name: "http" },
        `${inContainer}.ports[1].name Duplicate`,
      ],
      ["a port of the node", `${container}.ports.0.hostPort`, 80],
      [
        "a restart policy of its own",
        `${container}.restartPolicy`,
        "Always",
        `${inContainer}.restartPolicy NotSupported`,
      ],
      [
        "a hook of two kinds",
        `${container}.lifecycle`,
        { preStop: { sleep: { seconds: 1 }, exec: { command: ["x"] } } },
        `${inContainer}.lifecycle.preStop Invalid`,
      ],
      [
        "a hook by TCP",
        `${container}.lifecycle`,
        { postStart: { tcpSocket: { port: 80 } } },
        `${inContainer}.lifecycle.postStart.tcpSocket NotSupported`,
        `${inContainer}.lifecycle.postStart Required`,
      ],
      ["a signal", `${container}.lifecycle`, { stopSignal: "SIGUSR1" }],
      [
        "no signal",
        `${container}.lifecycle`,
        { stopSignal: "TERM" },
        `${inContainer}.lifecycle.stopSignal NotSupported`,
      ],
      [
        "no capability",
        `${container}.securityContext`,
        { capabilities: { add: ["FLY"] } },
        `${inContainer}.securityContext.capabilities.add[0] NotSupported`,
      ],
      [
        "an open /proc",
        `${container}.securityContext`,
        { procMount: "Unmasked" },
        `${inContainer}.securityContext.procMount NotSupported`,
      ],
      [
        "a privileged one without escalation",
        `${container}.securityContext`,
        { privileged: true, allowPrivilegeEscalation: false },
        `${inContainer}.securityContext.allowPrivilegeEscalation Invalid`,
      ],
      [
        "a profile out of the folder",
        `${container}.securityContext`,
        { seccompProfile: { type: "Localhost", localhostProfile: "../x" } },
        `${inContainer}.securityContext.seccompProfile.localhostProfile Invalid`,
      ],
      [
        "a resource that is not counted",
        `${container}.env.0`,
        { name: "A", valueFrom: { resourceFieldRef: { resource: "limits.disk" } } },
        `${inContainer}.env[0].valueFrom.resourceFieldRef.resource NotSupported`,
      ],
      ["a variable twice", `${container}.env.1`, { name: "MODE" }, `${inContainer}.env[1].name Duplicate`],
      ["a variable's name with =", `${container}.env.0.name`, "A=B", `${inContainer}.env[0].name Invalid`],
      ["a variable without name", `${container}.env.0.name`, undefined, `${inContainer}.env[0].name Required`],
      [
        "a variable's value beside its source",
        `${container}.env.0.valueFrom`,
        { fieldRef: { fieldPath: "metadata.name" } },
        `${inContainer}.env[0].valueFrom Invalid`,
      ],
      [
        "a variable without a source",
        `${container}.env.0`,
        { name: "A", valueFrom: {} },
        `${inContainer}.env[0].valueFrom Required`,
      ],
      [
        "a variable with two sources",
        `${container}.env.0`,
        { name: "A", valueFrom: { configMapKeyRef: { name: "a", key: "b" }, secretKeyRef: { name: "a", key: "b" } } },
        `${inContainer}.env[0].valueFrom Invalid`,
      ],
      [
        "an unknown field of the Pod",
        `${container}.env.0`,
        { name: "A", valueFrom: { fieldRef: { fieldPath: "spec.x" } } },
        `${inContainer}.env[0].valueFrom.fieldRef.fieldPath NotSupported`,
      ],
      [
        "a label of the Pod",
        `${container}.env.0`,
        { name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.labels['a/b']" } } },
      ],
      [
        "a reference without key",
        `${container}.env.0`,
        { name: "A", valueFrom: { secretKeyRef: { name: "a" } } },
        `${inContainer}.env[0].valueFrom.secretKeyRef.key Required`,
      ],
      ["variables from nothing", `${container}.envFrom`, [{ prefix: "A_" }], `${inContainer}.envFrom[0] Required`],
      ["variables from a ConfigMap", `${container}.envFrom`, [{ prefix: "A_", configMapRef: { name: "a" } }]],
      [
        "a request over its limit",
        `${container}.resources`,
        { requests: { cpu: "2" }, limits: { cpu: "1500m" } },
        `${inContainer}.resources.requests[cpu] Invalid`,
      ],
      [
        "a request at its limit",
        `${container}.resources`,
        { requests: { memory: "1024Mi" }, limits: { memory: "1Gi" } },
      ],
      [
        "a request of 9 under a limit of 10",
        `${container}.resources`,
        { requests: { cpu: "9" }, limits: { cpu: "10" } },
      ],
      [
        "a negative amount",
        `${container}.resources`,
        { limits: { cpu: "-1" } },
        `${inContainer}.resources.limits[cpu] Invalid`,
      ],
      [
        "an unknown resource",
        `${container}.resources`,
        { limits: { cpus: "1" } },
        `${inContainer}.resources.limits[cpus] NotSupported`,
      ],
    ]));

  describe("probes", () => {
    const probe = `${container}.livenessProbe`;
    const inProbe = `${inContainer}.livenessProbe`;
    refusals(deploymentManifest, [
      ["a probe that does nothing", probe, {}, `${inProbe} Required`],
      [
        "a probe that does two things",
        probe,
        { exec: { command: ["a"] }, tcpSocket: { port: 80 } },
        `${inProbe} Invalid`,
      ],
      ["a probe without a command", probe, { exec: {} }, `${inProbe}.exec.command Required`],
      ["a probe by the name of a port", probe, { httpGet: { port: "http" } }],
      ["a probe by the name of no port", probe, { httpGet: { port: "web" } }, `${inProbe}.httpGet.port Invalid`],
      ["a probe of port 0", probe, { tcpSocket: { port: 0 } }, `${inProbe}.tcpSocket.port Invalid`],
      ["a probe without a port", probe, { httpGet: {} }, `${inProbe}.httpGet.port Required`],
      ["a period of 0", probe, { tcpSocket: { port: 80 }, periodSeconds: 0 }, `${inProbe}.periodSeconds Invalid`],
      [
        "a delay below 0",
        probe,
        { tcpSocket: { port: 80 }, initialDelaySeconds: -1 },
        `${inProbe}.initialDelaySeconds Invalid`,
      ],
      [
        "liveness that must succeed twice",
        probe,
        { tcpSocket: { port: 80 }, successThreshold: 2 },
        `${inProbe}.successThreshold Invalid`,
      ],
      ["a probe over gRPC", probe, { grpc: { port: 80 } }],
      ["a probe of two kinds", probe, { grpc: { port: 80 }, tcpSocket: { port: 80 } }, `${inProbe} Invalid`],
    ]);
  });

  describe("promises that are not kept", () =>
    refusals(podManifest, [
      [
        "a volume as a device",
        "spec.containers.0.volumeDevices",
        [{ name: "v", devicePath: "/v" }],
        "spec.containers[0].volumeDevices NotSupported",
      ],
      ["no devices", "spec.containers.0.volumeDevices", []],
    ]));

  describe("Pods", () =>
    refusals(podManifest, [
      ["a Pod that runs once", "spec.restartPolicy", "Never"],
      ["a sidecar", "spec.initContainers", [{ name: "s", image: "s:1", restartPolicy: "Always", lifecycle: {} }]],
      [
        "an init container with a probe",
        "spec.initContainers",
        [{ name: "s", image: "s:1", livenessProbe: { exec: { command: ["x"] } } }],
        "spec.initContainers[0].livenessProbe Invalid",
      ],
      ["no name server at all", "spec.dnsPolicy", "None", "spec.dnsConfig.nameservers Required"],
      [
        "a name server without address",
        "spec.dnsConfig",
        { nameservers: ["ns.example"] },
        "spec.dnsConfig.nameservers[0] Invalid",
      ],
      [
        "a parameter of the whole kernel",
        "spec.securityContext",
        { sysctls: [{ name: "kernel.panic", value: "1" }] },
        "spec.securityContext.sysctls[0].name NotSupported",
      ],
      ["another restart policy", "spec.restartPolicy", "Maybe", "spec.restartPolicy NotSupported"],
      ["negative grace", "spec.terminationGracePeriodSeconds", -1, "spec.terminationGracePeriodSeconds Invalid"],
      [
        "a toleration without key that compares",
        "spec.tolerations",
        [{ operator: "Equal" }],
        "spec.tolerations[0].operator Invalid",
      ],
      ["a toleration of everything", "spec.tolerations", [{ operator: "Exists" }]],
      [
        "a value beside Exists",
        "spec.tolerations",
        [{ key: "a", operator: "Exists", value: "b" }],
        "spec.tolerations[0].value Invalid",
      ],
      [
        "seconds without NoExecute",
        "spec.tolerations",
        [{ key: "a", operator: "Exists", tolerationSeconds: 1 }],
        "spec.tolerations[0].effect Invalid",
      ],
      ["a node selector with a bad value", "spec.nodeSelector", { a: "b c" }, "spec.nodeSelector[a] Invalid"],
      ["a host name with a dot", "spec.hostname", "a.b", "spec.hostname Invalid"],
      ["no spec", "spec", undefined, "spec Required"],
    ]));

  describe("Deployments", () =>
    refusals(deploymentManifest, [
      ["negative replicas", "spec.replicas", -1, "spec.replicas Invalid"],
      ["no selector", "spec.selector", undefined, "spec.selector Required"],
      ["an empty selector", "spec.selector", {}, "spec.selector Invalid"],
      [
        "a selector that misses the template",
        "spec.selector.matchLabels.app",
        "db",
        "spec.template.metadata.labels Invalid",
      ],
      [
        "In without values",
        "spec.selector.matchExpressions",
        [{ key: "app", operator: "In" }],
        "spec.selector.matchExpressions[0].values Required",
        "spec.template.metadata.labels Invalid",
      ],
      [
        "Exists with values",
        "spec.selector.matchExpressions",
        [{ key: "app", operator: "Exists", values: ["a"] }],
        "spec.selector.matchExpressions[0].values Invalid",
      ],
      [
        "another operator",
        "spec.selector.matchExpressions",
        [{ key: "app", operator: "Like" }],
        "spec.selector.matchExpressions[0].operator NotSupported",
        "spec.template.metadata.labels Invalid",
      ],
      [
        "Pods that run once",
        "spec.template.spec.restartPolicy",
        "OnFailure",
        "spec.template.spec.restartPolicy NotSupported",
      ],
      ["another strategy", "spec.strategy", { type: "BlueGreen" }, "spec.strategy.type NotSupported"],
      [
        "no surge and none unavailable",
        "spec.strategy",
        { rollingUpdate: { maxSurge: 0, maxUnavailable: "0%" } },
        "spec.strategy.rollingUpdate.maxUnavailable Invalid",
      ],
      [
        "more than all unavailable",
        "spec.strategy",
        { rollingUpdate: { maxUnavailable: "101%" } },
        "spec.strategy.rollingUpdate.maxUnavailable Invalid",
      ],
      ["a surge of twice as many", "spec.strategy", { rollingUpdate: { maxSurge: "200%" } }],
      [
        "a surge as a word",
        "spec.strategy",
        { rollingUpdate: { maxSurge: "some" } },
        "spec.strategy.rollingUpdate.maxSurge Invalid",
      ],
      [
        "a negative surge",
        "spec.strategy",
        { rollingUpdate: { maxSurge: -1 } },
        "spec.strategy.rollingUpdate.maxSurge Invalid",
      ],
      [
        "Recreate with rolling numbers",
        "spec.strategy",
        { type: "Recreate", rollingUpdate: {} },
        "spec.strategy.rollingUpdate Invalid",
      ],
      ["Recreate", "spec.strategy", { type: "Recreate" }],
      ["a deadline before readiness", "spec.minReadySeconds", 600, "spec.progressDeadlineSeconds Invalid"],
    ]));

  describe("ConfigMaps, Secrets, Events, Nodes", () => {
    refusals(configMapManifest, [
      ["a key with a slash", "data", { "a/b": "" }, "data[a/b] Invalid"],
      ["a key that goes up", "data", { "..a": "" }, "data[..a] Invalid"],
      ["one key in both parts", "binaryData", { mode: "AA==" }, "binaryData[mode] Duplicate"],
    ]);
    it("refuses a Secret of a type without its keys", () => {
      const secret = {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "s", namespace: "default" },
        type: "kubernetes.io/tls",
        data: { "tls.crt": "AA==" },
      };
      assert.deepEqual(faultsOf(objectOf(secret)), ["data[tls.key] Required"]);
    });
    it("refuses an Event away from its object", () => {
      const event = {
        apiVersion: "v1",
        kind: "Event",
        metadata: { name: "e", namespace: "a" },
        involvedObject: { kind: "Pod", namespace: "b", name: "p" },
      };
      assert.deepEqual(faultsOf(objectOf(event)), ["involvedObject.namespace Invalid"]);
    });
    it("refuses a taint twice and an address range that is none", () => {
      const taints = [
        { key: "a", effect: "NoSchedule" },
        { key: "a", effect: "NoSchedule", value: "x" },
      ];
      const node = {
        apiVersion: "v1",
        kind: "Node",
        metadata: { name: "n" },
        spec: { taints, podCIDR: "10.0.0.0/33" },
      };
      assert.deepEqual(faultsOf(objectOf(node)), ["spec.podCIDR Invalid", "spec.taints[1] Duplicate"]);
    });
  });
});

describe("validation of a change", () => {
  const changes = (base: Manifest, path: string, value: unknown): readonly string[] =>
    validateChange(objectOf(base), objectOf(withValue(base, path, value))).map(
      (fault) => `${fault.field} ${fault.reason}`,
    );
  const locked = withValue(configMapManifest(), "immutable", true);
  const dying = withValue(
    withValue(configMapManifest(), "metadata.deletionTimestamp", toTimestamp(noon)),
    "metadata.finalizers",
    ["a.b/c"],
  );
  const tolerant = withValue(podManifest(), "spec.tolerations", [{ key: "a", operator: "Exists" }]);
  const rows: readonly (readonly [string, Manifest, string, unknown, ...string[]])[] = [
    ["other replicas", deploymentManifest(), "spec.replicas", 5],
    ["another image in a template", deploymentManifest(), `${container}.image`, "web:2"],
    [
      "another selector",
      withValue(deploymentManifest(), "spec.template.metadata.labels.tier", "x"),
      "spec.selector.matchLabels",
      { tier: "x" },
      "spec.selector Immutable",
    ],
    [
      "another image in a Pod",
      withValue(podManifest(), "spec.containers.0.imagePullPolicy", "Always"),
      "spec.containers.0.image",
      "web:2",
    ],
    ["no image in a Pod", podManifest(), "spec.containers.0.image", "", "spec.containers[0].image Required"],
    ["a command in a Pod", podManifest(), "spec.containers.0.command", ["a"], "spec.containers[0].command Immutable"],
    [
      "one more container in a Pod",
      podManifest(),
      "spec.containers.1",
      { name: "b", image: "b" },
      "spec.containers Immutable",
    ],
    ["a Pod's node", podManifest(), "spec.nodeName", "n", "spec.nodeName Immutable"],
    ["a Pod's node selector", podManifest(), "spec.nodeSelector", { a: "b" }, "spec.nodeSelector Immutable"],
    ["one more toleration", tolerant, "spec.tolerations.1", { key: "b", operator: "Exists" }],
    ["one toleration less", tolerant, "spec.tolerations", [], "spec.tolerations Immutable"],
    ["a Pod's labels", podManifest(), "metadata.labels.app", "x"],
    ["data that is locked", locked, "data.mode", "slow", "data Immutable"],
    ["the lock taken away", locked, "immutable", undefined, "immutable Immutable"],
    ["labels of what is locked", locked, "metadata.labels", { a: "b" }],
    [
      "a Namespace's finalizers",
      { apiVersion: "v1", kind: "Namespace", metadata: { name: "n" } },
      "spec.finalizers",
      [],
      "spec.finalizers Immutable",
    ],
    [
      "a Namespace's labels",
      { apiVersion: "v1", kind: "Namespace", metadata: { name: "n" } },
      "metadata.labels",
      { a: "b" },
    ],
    [
      "a Secret's type",
      { apiVersion: "v1", kind: "Secret", metadata: { name: "s", namespace: "d" } },
      "type",
      "x/y",
      "type Immutable",
    ],
    [
      "a new finalizer on what is being deleted",
      dying,
      "metadata.finalizers",
      ["a.b/c", "a.b/d"],
      "metadata.finalizers[1] Invalid",
    ],
    ["one finalizer less on what is being deleted", dying, "metadata.finalizers", []],
    [
      "a Node's address range",
      { apiVersion: "v1", kind: "Node", metadata: { name: "n" }, spec: { podCIDR: "10.0.0.0/24" } },
      "spec.podCIDR",
      "10.0.1.0/24",
      "spec.podCIDR Immutable",
    ],
  ];
  for (const [what, base, path, value, ...faults] of rows)
    it(`${faults.length === 0 ? "takes" : "refuses"} ${what}`, () =>
      assert.deepEqual(changes(base, path, value), faults));
});
