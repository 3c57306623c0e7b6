import assert from "node:assert/strict";
import { changeCauseAnnotation, revisionAnnotation, revisionsOf, rolloutState, undoTo } from "../../cli/rollout.js";
import type {
  ControllerRevision,
  DaemonSet,
  DaemonSetSpec,
  DaemonSetStatus,
  Deployment,
  DeploymentStatus,
  ReplicaSet,
  StatefulSet,
  StatefulSetSpec,
  StatefulSetStatus,
} from "../../src/api/kinds/apps.js";
import type { AnyObject } from "../../src/api/object.js";
import { IkadaError } from "../../src/base/errors.js";

function deployment(status: DeploymentStatus, spec: Partial<Deployment["spec"]> = {}): Deployment {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "default", uid: "uid-web", generation: 2 },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: "web" } },
      template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "main", image: "web:3" }] } },
      ...spec,
    },
    status: { observedGeneration: 2, ...status },
  };
}

const any = (object: object): AnyObject => object as AnyObject;

function replicaSet(revision: number, image: string, owner = "uid-web", cause?: string): ReplicaSet {
  const annotations = { [revisionAnnotation]: String(revision), ...(cause && { [changeCauseAnnotation]: cause }) };
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name: `web-${revision}`,
      annotations,
      ownerReferences: [{ apiVersion: "apps/v1", kind: "Deployment", name: "web", uid: owner, controller: true }],
    },
    spec: {
      selector: {},
      template: {
        metadata: { labels: { app: "web", "pod-template-hash": `h${revision}` }, annotations: { note: "kept" } },
        spec: { containers: [{ name: "main", image }] },
      },
    },
  };
}

describe("rollout", () => {
  // The words of kubectl 1.33 (pkg/polymorphichelpers/rollout_status.go).
  const states: readonly (readonly [string, Deployment, boolean, string])[] = [
    [
      "not observed",
      deployment({ observedGeneration: 1, updatedReplicas: 3, replicas: 3, availableReplicas: 3 }),
      false,
      "Waiting for deployment spec update to be observed...",
    ],
    ["no status", { ...deployment({}), status: {} }, false, "Waiting for deployment spec update to be observed..."],
    [
      "few are new",
      deployment({ updatedReplicas: 1, replicas: 4, availableReplicas: 3 }),
      false,
      'Waiting for deployment "web" rollout to finish: 1 out of 3 new replicas have been updated...',
    ],
    [
      "old ones are left",
      deployment({ updatedReplicas: 3, replicas: 5, availableReplicas: 5 }),
      false,
      'Waiting for deployment "web" rollout to finish: 2 old replicas are pending termination...',
    ],
    [
      "not available",
      deployment({ updatedReplicas: 3, replicas: 3, availableReplicas: 1 }),
      false,
      'Waiting for deployment "web" rollout to finish: 1 of 3 updated replicas are available...',
    ],
    [
      "done",
      deployment({ updatedReplicas: 3, replicas: 3, availableReplicas: 3 }),
      true,
      'deployment "web" successfully rolled out',
    ],
    ["none wanted", deployment({}, { replicas: 0 }), true, 'deployment "web" successfully rolled out'],
  ];
  for (const [name, object, done, message] of states)
    it(`status: ${name}`, () => assert.deepEqual(rolloutState(object), { done, message }));

  it("status: given up is an error that says what to do", () => {
    const conditions = [{ type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded" }] as const;
    assert.throws(
      () => rolloutState(deployment({ conditions, updatedReplicas: 3, replicas: 3, availableReplicas: 3 })),
      (error) =>
        error instanceof IkadaError &&
        error.message === 'deployment "web" exceeded its progress deadline' &&
        error.details.hint!.includes("rollout undo deployment/web"),
    );
  });

  it("history: the Deployment's own ReplicaSets by revision", () => {
    const sets = [
      replicaSet(10, "c"),
      replicaSet(2, "a", "uid-web", "first"),
      replicaSet(9, "x", "uid-other"),
      replicaSet(3, "b"),
    ];
    const revisions = revisionsOf(deployment({}), sets.map(any));
    assert.deepEqual(
      revisions.map(({ number, changeCause }) => [number, changeCause]),
      [
        [2, "first"],
        [3, "<none>"],
        [10, "<none>"],
      ],
    );
  });

  it("undo: to the revision before, or to a named one, without the controller's label", () => {
    const sets = [replicaSet(1, "web:1"), replicaSet(2, "web:2"), replicaSet(3, "web:3")];
    const revisions = revisionsOf(deployment({}), sets.map(any));
    const before = undoTo(deployment({}), revisions, 0);
    assert.equal(before.revision, 2);
    assert.equal(before.object.spec.template.spec.containers[0]!.image, "web:2");
    assert.deepEqual(before.object.spec.template.metadata, { labels: { app: "web" }, annotations: { note: "kept" } });
    assert.equal(before.object.spec.replicas, 3);
    assert.equal(undoTo(deployment({}), revisions, 1).object.spec.template.spec.containers[0]!.image, "web:1");
  });

  it("undo: what can't be done says why", () => {
    const revisions = revisionsOf(deployment({}), [replicaSet(1, "web:1"), replicaSet(2, "web:2")].map(any));
    assert.throws(
      () => undoTo(deployment({}), revisions, 7),
      /unable to find revision 7 of deployment "web" \(known: 1, 2\)/,
    );
    assert.throws(() => undoTo(deployment({}), revisions.slice(1), 0), /no rollout history found for deployment "web"/);
    assert.throws(() => undoTo(deployment({}), [], 0), /no rollout history found/);
    assert.throws(() => undoTo(deployment({}, { paused: true }), revisions, 0), /rollout resume deployment\/web/);
  });
});

const metadata = { name: "db", namespace: "default", uid: "uid-db", generation: 2 };
const template = { metadata: { labels: { app: "db" } }, spec: { containers: [{ name: "main", image: "db:2" }] } };
const common = { selector: { matchLabels: { app: "db" } }, template };

function statefulSet(status: Partial<StatefulSetStatus>, spec: Partial<StatefulSetSpec> = {}): StatefulSet {
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata,
    spec: { replicas: 3, ...common, ...spec },
    status: { replicas: 3, observedGeneration: 2, ...status },
  };
}

function daemonSet(status: Partial<DaemonSetStatus>, spec: Partial<DaemonSetSpec> = {}): DaemonSet {
  const counts = { desiredNumberScheduled: 3, currentNumberScheduled: 3, numberMisscheduled: 0, numberReady: 3 };
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata,
    spec: { ...common, ...spec },
    status: { ...counts, observedGeneration: 2, ...status },
  };
}

function controllerRevision(revision: number, image: string): ControllerRevision {
  const ownerReferences = [{ apiVersion: "apps/v1", kind: "StatefulSet", name: "db", uid: "uid-db", controller: true }];
  const kept = { ...template, spec: { containers: [{ name: "main", image }] }, $patch: "replace" };
  return {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: { name: `db-${revision}`, ownerReferences },
    data: { spec: { template: kept } },
    revision,
  };
}

describe("rollout of StatefulSets and DaemonSets", () => {
  // The words of kubectl 1.33 (pkg/polymorphichelpers/rollout_status.go).
  const partitioned = { updateStrategy: { type: "RollingUpdate" as const, rollingUpdate: { partition: 1 } } };
  const states: readonly (readonly [string, StatefulSet | DaemonSet, boolean, string])[] = [
    [
      "a StatefulSet that is not observed",
      statefulSet({ observedGeneration: 1 }),
      false,
      "Waiting for statefulset spec update to be observed...",
    ],
    ["one with few ready Pods", statefulSet({ readyReplicas: 1 }), false, "Waiting for 2 pods to be ready..."],
    [
      "one on the way",
      statefulSet({ readyReplicas: 3, updatedReplicas: 1, currentRevision: "db-1", updateRevision: "db-2" }),
      false,
      "waiting for statefulset rolling update to complete 1 pods at revision db-2...",
    ],
    [
      "one that is through",
      statefulSet({ readyReplicas: 3, currentReplicas: 3, currentRevision: "db-2", updateRevision: "db-2" }),
      true,
      "statefulset rolling update complete 3 pods at revision db-2...",
    ],
    [
      "a partition on the way",
      statefulSet({ readyReplicas: 3, updatedReplicas: 1 }, partitioned),
      false,
      "Waiting for partitioned roll out to finish: 1 out of 2 new pods have been updated...",
    ],
    [
      "a partition that is through",
      statefulSet(
        { readyReplicas: 3, updatedReplicas: 2, currentRevision: "db-1", updateRevision: "db-2" },
        partitioned,
      ),
      true,
      "partitioned roll out complete: 2 new pods have been updated...",
    ],
    [
      "a DaemonSet that is not observed",
      daemonSet({ observedGeneration: 1 }),
      false,
      "Waiting for daemon set spec update to be observed...",
    ],
    [
      "one on the way",
      daemonSet({ updatedNumberScheduled: 1 }),
      false,
      'Waiting for daemon set "db" rollout to finish: 1 out of 3 new pods have been updated...',
    ],
    [
      "one that is not available",
      daemonSet({ updatedNumberScheduled: 3, numberAvailable: 2 }),
      false,
      'Waiting for daemon set "db" rollout to finish: 2 of 3 updated pods are available...',
    ],
    [
      "one that is through",
      daemonSet({ updatedNumberScheduled: 3, numberAvailable: 3 }),
      true,
      'daemon set "db" successfully rolled out',
    ],
  ];
  for (const [name, object, done, message] of states)
    it(`status: ${name}`, () => assert.deepEqual(rolloutState(object), { done, message }));

  it("status: with OnDelete nothing rolls out by itself", () => {
    const onDelete = { updateStrategy: { type: "OnDelete" as const } };
    for (const object of [statefulSet({}, onDelete), daemonSet({}, onDelete)])
      assert.throws(() => rolloutState(object), /only available for the update strategy RollingUpdate/);
  });

  it("history and undo: by ControllerRevisions", () => {
    const keepers = [controllerRevision(4, "db:2"), controllerRevision(2, "db:1")].map(any);
    const revisions = revisionsOf(statefulSet({}), keepers);
    assert.deepEqual(
      revisions.map(({ number }) => number),
      [2, 4],
    );
    const { object, revision } = undoTo(statefulSet({}), revisions, 0);
    assert.equal(revision, 2);
    assert.deepEqual(object.spec.template, { ...template, spec: { containers: [{ name: "main", image: "db:1" }] } });
    assert.throws(() => undoTo(statefulSet({}), revisions, 3), /revision 3 of statefulset "db" \(known: 2, 4\)/);
  });
});
