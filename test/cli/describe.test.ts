import assert from "node:assert/strict";
import { describeObject } from "../../cli/describe.js";
import type { AnyObject } from "../../src/api/object.js";
import type { Event } from "../../src/api/kinds/core.js";
import type { Pod } from "../../src/api/kinds/pod.js";

const now = Date.parse("2026-03-01T12:10:00Z");
const created = "2026-03-01T12:00:00Z";

function event(name: string, lastTimestamp: string, more: Partial<Event>): Event {
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name, namespace: "default" },
    involvedObject: { kind: "Pod", name: "web-1" },
    lastTimestamp,
    ...more,
  };
}

const pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "web-1",
    namespace: "default",
    uid: "u1",
    labels: { app: "web", tier: "front" },
    creationTimestamp: created,
    ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "web-5d9", uid: "r", controller: true }],
  },
  spec: {
    nodeName: "node-1",
    containers: [
      {
        name: "main",
        image: "web:1",
        command: ["/bin/web"],
        args: ["--port=8080"],
        envFrom: [{ prefix: "X_", secretRef: { name: "more" } }],
        ports: [{ containerPort: 8080 }, { containerPort: 53, protocol: "UDP" }],
        env: [
          { name: "PLAIN", value: "yes" },
          { name: "GREETING", valueFrom: { configMapKeyRef: { name: "settings", key: "greeting" } } },
          { name: "PASSWORD", valueFrom: { secretKeyRef: { name: "login", key: "password" } } },
          { name: "NODE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
        ],
        resources: { requests: { cpu: "100m", memory: "64Mi" } },
        readinessProbe: { httpGet: { path: "/ready", port: 8080 }, periodSeconds: 1 },
        livenessProbe: { exec: { command: ["true"] } },
      },
    ],
    tolerations: [
      { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 },
    ],
  },
  status: {
    phase: "Running",
    podIP: "10.244.1.7",
    conditions: [{ type: "Ready", status: "False", reason: "ContainersNotReady" }],
    containerStatuses: [
      {
        name: "main",
        image: "web:1",
        imageID: "sha256:abc",
        containerID: "docker://c1",
        ready: false,
        restartCount: 2,
        state: { running: { startedAt: "2026-03-01T12:05:00Z" } },
        lastState: { terminated: { exitCode: 137, reason: "OOMKilled", finishedAt: "2026-03-01T12:04:59Z" } },
      },
    ],
  },
} satisfies AnyObject & Pod;

describe("describe", () => {
  it("Pod", () => {
    const events = [
      event("b", "2026-03-01T12:09:30Z", {
        type: "Warning",
        reason: "BackOff",
        message: "restarting",
        count: 3,
        source: { component: "agent" },
      }),
      event("a", "2026-03-01T12:00:10Z", {
        reason: "Scheduled",
        message: "assigned to node-1",
        source: { component: "scheduler" },
      }),
    ];
    assert.equal(describeObject(pod, { events, pods: [], now }), POD);
  });

  it("Deployment", () => {
    const object = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: {
        name: "web",
        namespace: "default",
        annotations: { "deployment.kubernetes.io/revision": "2" },
        creationTimestamp: created,
      },
      spec: {
        replicas: 3,
        selector: {
          matchLabels: { app: "web" },
          matchExpressions: [{ key: "tier", operator: "In", values: ["a", "b"] }],
        },
        strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: 0 } },
        template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "main", image: "web:2" }] } },
      },
      status: {
        replicas: 4,
        updatedReplicas: 2,
        availableReplicas: 3,
        unavailableReplicas: 1,
        conditions: [{ type: "Available", status: "True", reason: "MinimumReplicasAvailable", message: "enough" }],
      },
    };
    assert.equal(describeObject(object, { events: [], pods: [], now }), DEPLOYMENT);
  });

  it("Node", () => {
    const object = {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: "node-1", labels: { zone: "a" }, creationTimestamp: created },
      spec: {
        podCIDR: "10.244.1.0/24",
        taints: [
          { key: "gpu", value: "yes", effect: "NoSchedule" },
          { key: "old", effect: "NoExecute" },
        ],
      },
      status: {
        capacity: { cpu: "4", memory: "8Gi" },
        allocatable: { cpu: "4", memory: "7Gi" },
        addresses: [{ type: "InternalIP", address: "192.0.2.1" }],
        conditions: [{ type: "Ready", status: "True" }],
        nodeInfo: { architecture: "amd64" },
      },
    };
    assert.equal(
      describeObject(object, {
        events: [],
        pods: [pod, { ...pod, metadata: { ...pod.metadata, name: "done" }, status: { phase: "Succeeded" } }],
        now,
      }),
      NODE,
    );
  });

  it("ConfigMap shows its data, lines under lines", () => {
    const object = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "settings", namespace: "default", creationTimestamp: created },
      data: { greeting: "Hello", "web.conf": "port 80\n\nroot /www\n" },
      binaryData: { logo: "AAECAw==" },
    };
    assert.equal(describeObject(object, { events: [], pods: [], now }), CONFIG_MAP);
  });

  it("Secret shows names and sizes, never values", () => {
    const value = "hunter2-and-more";
    const base64 = Buffer.from(value).toString("base64");
    const object = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "login", namespace: "default", creationTimestamp: created },
      data: { password: base64, empty: "", pin: "MTI=" },
      stringData: { note: value },
    };
    const text = describeObject(object, { events: [], pods: [], now });
    assert.equal(text, SECRET);
    for (const secret of [value, base64, "MTI="]) assert.ok(!text.includes(secret), secret);
  });

  it("a kind without a layout of its own shows its fields", () => {
    const object = { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" }, status: { phase: "Active" } };
    assert.match(describeObject(object, { events: [], pods: [], now }), /^status: +\{"phase":"Active"\}$/m);
  });

  it("an object that is being deleted says since when", () => {
    const terminating = { ...pod, metadata: { ...pod.metadata, deletionTimestamp: "2026-03-01T12:09:00Z" } };
    const text = describeObject(terminating, { events: [], pods: [], now });
    assert.match(text, /^Terminating since: +2026-03-01T12:09:00Z$/m);
    assert.match(text, /^Status: +Terminating$/m);
  });

  it("control sequences in texts of others do not reach the terminal", () => {
    const hostile = { ...pod, metadata: { ...pod.metadata, labels: { app: "\u001b[2Jgone" } } };
    const events = [event("a", created, { message: "\u001b]0;title\u0007" })];
    const text = describeObject(hostile, { events, pods: [], now });
    assert.ok(!text.includes("\u001b") && !text.includes("\u0007"));
    assert.ok(text.includes("\\x1b[2Jgone"));
  });
});

const POD = `Name:           web-1
Namespace:      default
Kind:           Pod
Labels:         app=web, tier=front
Annotations:    <none>
Created:        2026-03-01T12:00:00Z
Controlled By:  ReplicaSet/web-5d9
Node:           node-1
Status:         Running
IP:             10.244.1.7
Containers:
  main:
    Image:            web:1
    Container ID:     docker://c1
    Image ID:         sha256:abc
    State:            Running since 2026-03-01T12:05:00Z
    Last State:       Terminated: OOMKilled, exit code 137, 2026-03-01T12:04:59Z
    Ready:            False
    Restart Count:    2
    Ports:            8080/TCP, 53/UDP
    Command:          /bin/web
    Args:             --port=8080
    Requests:         cpu=100m, memory=64Mi
    Liveness:         exec [true] delay=0s timeout=1s period=10s #success=1 #failure=3
    Readiness:        http-get :8080/ready delay=0s timeout=1s period=1s #success=1 #failure=3
    Environment From: secret more with prefix X_
    Environment:
      PLAIN:    yes
      GREETING: <key greeting of config map settings>
      PASSWORD: <key password of secret login>
      NODE:     <field spec.nodeName>
Conditions:
  Ready: False  ContainersNotReady
Volumes: <none>
QoS Class:      Burstable
Node-Selectors: <none>
Tolerations:    node.kubernetes.io/not-ready:NoExecute op=Exists for 300s
Events:
   TYPE      REASON      AGE        FROM        MESSAGE
   Normal    Scheduled   9m50s      scheduler   assigned to node-1
   Warning   BackOff     30s (x3)   agent       restarting
`;

const DEPLOYMENT = `Name:          web
Namespace:     default
Kind:          Deployment
Labels:        <none>
Annotations:   deployment.kubernetes.io/revision=2
Created:       2026-03-01T12:00:00Z
Selector:      app=web,tier In (a,b)
Replicas:      3 desired | 2 updated | 4 total | 3 available | 1 unavailable
StrategyType:  RollingUpdate
RollingUpdate: 0 max unavailable, 25% max surge
Pod Template:
  Labels: app=web
  Containers:
    main:
      Image: web:2
Conditions:
  Available: True  MinimumReplicasAvailable  enough
Events: <none>
`;

const NODE = `Name:          node-1
Kind:          Node
Labels:        zone=a
Annotations:   <none>
Created:       2026-03-01T12:00:00Z
Taints:        gpu=yes:NoSchedule, old:NoExecute
Unschedulable: false
PodCIDR:       10.244.1.0/24
Conditions:
  Ready: True
Addresses:
  InternalIP: 192.0.2.1
Capacity:      cpu=4, memory=8Gi
Allocatable:   cpu=4, memory=7Gi
System Info:
  architecture: amd64
Non-terminated Pods:
  default/web-1: Running
Events: <none>
`;

const CONFIG_MAP = `Name:        settings
Namespace:   default
Kind:        ConfigMap
Labels:      <none>
Annotations: <none>
Created:     2026-03-01T12:00:00Z
Data:
  greeting: Hello
  web.conf: port 80

            root /www
  logo:     4 bytes
Events: <none>
`;

const SECRET = `Name:        login
Namespace:   default
Kind:        Secret
Labels:      <none>
Annotations: <none>
Created:     2026-03-01T12:00:00Z
Type:        Opaque
Data:
  password: 16 bytes
  empty:    0 bytes
  pin:      2 bytes
Events: <none>
`;
