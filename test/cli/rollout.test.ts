import assert from "node:assert/strict";
import { changeCauseAnnotation, revisionAnnotation, revisionsOf, rolloutState, undoTo } from "../../cli/rollout.js";
import type { Deployment, DeploymentStatus, ReplicaSet } from "../../src/api/kinds/apps.js";
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
    const revisions = revisionsOf(deployment({}), sets);
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
    const revisions = revisionsOf(deployment({}), [
      replicaSet(1, "web:1"),
      replicaSet(2, "web:2"),
      replicaSet(3, "web:3"),
    ]);
    const before = undoTo(deployment({}), revisions, 0);
    assert.equal(before.revision, 2);
    assert.equal(before.object.spec.template.spec.containers[0]!.image, "web:2");
    assert.deepEqual(before.object.spec.template.metadata, { labels: { app: "web" }, annotations: { note: "kept" } });
    assert.equal(before.object.spec.replicas, 3);
    assert.equal(undoTo(deployment({}), revisions, 1).object.spec.template.spec.containers[0]!.image, "web:1");
  });

  it("undo: what can't be done says why", () => {
    const revisions = revisionsOf(deployment({}), [replicaSet(1, "web:1"), replicaSet(2, "web:2")]);
    assert.throws(
      () => undoTo(deployment({}), revisions, 7),
      /unable to find revision 7 of deployment "web" \(known: 1, 2\)/,
    );
    assert.throws(() => undoTo(deployment({}), revisions.slice(1), 0), /no rollout history found for deployment "web"/);
    assert.throws(() => undoTo(deployment({}), [], 0), /no rollout history found/);
    assert.throws(() => undoTo(deployment({}, { paused: true }), revisions, 0), /rollout resume deployment\/web/);
  });
});
