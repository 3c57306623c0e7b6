import type {
  DaemonSet,
  DaemonSetSpec,
  Deployment,
  DeploymentSpec,
  ReplicaSet,
  StatefulSet,
  StatefulSetSpec,
} from "../../src/api/kinds/apps.js";
import { withDefaults } from "../../src/api/defaults.js";
import type { CronJob, CronJobSpec, Job, JobSpec } from "../../src/api/kinds/batch.js";
import { generateSelector } from "../../src/api/kinds/job-selector.js";
import type { Node, NodeSpec } from "../../src/api/kinds/core.js";
import type { Pod, PodSpec, PodStatus } from "../../src/api/kinds/pod.js";
import type { AnyObject, ObjectMeta } from "../../src/api/object.js";
import { toTimestamp } from "../../src/api/time.js";

/** Objects for tests, with the defaults that the API would have filled in. */

export interface DeploymentOptions extends Partial<DeploymentSpec> {
  readonly name?: string;
  readonly image?: string;
  readonly maxSurge?: number | string;
  readonly maxUnavailable?: number | string;
  readonly podSpec?: Partial<PodSpec>;
}

export function deployment(options: DeploymentOptions = {}): Deployment {
  const { name = "web", image = "web:1", maxSurge = "25%", maxUnavailable = "25%", podSpec = {}, ...spec } = options;
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: "default", uid: `uid-${name}`, generation: 1, resourceVersion: "1" },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: name } },
      template: template(name, image, podSpec),
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge, maxUnavailable } },
      minReadySeconds: 0,
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      ...spec,
    },
  };
}

export function statefulSet(spec: Partial<StatefulSetSpec> = {}, metadata: Partial<ObjectMeta> = {}): StatefulSet {
  const { name = "db" } = metadata;
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name, namespace: "default", uid: `uid-${name}`, generation: 1, resourceVersion: "1", ...metadata },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: name } },
      template: template(name, `${name}:1`),
      podManagementPolicy: "OrderedReady",
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0, maxUnavailable: 1 } },
      revisionHistoryLimit: 10,
      ...spec,
    },
  };
}

export function daemonSet(spec: Partial<DaemonSetSpec> = {}, metadata: Partial<ObjectMeta> = {}): DaemonSet {
  const { name = "log" } = metadata;
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name, namespace: "default", uid: `uid-${name}`, generation: 1, resourceVersion: "1", ...metadata },
    spec: {
      selector: { matchLabels: { app: name } },
      template: template(name, `${name}:1`),
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
      revisionHistoryLimit: 10,
      ...spec,
    },
  };
}

export function template(name: string, image: string, podSpec: Partial<PodSpec> = {}): DeploymentSpec["template"] {
  return {
    metadata: { labels: { app: name } },
    spec: {
      restartPolicy: "Always",
      terminationGracePeriodSeconds: 30,
      containers: [{ name: "main", image }],
      ...podSpec,
    },
  };
}

export function replicaSet(
  name: string,
  spec: Partial<ReplicaSet["spec"]> = {},
  metadata: Partial<ObjectMeta> = {},
): ReplicaSet {
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name, namespace: "default", uid: `uid-${name}`, generation: 1, resourceVersion: "1", ...metadata },
    spec: { replicas: 3, selector: { matchLabels: { app: name } }, template: template(name, "web:1"), ...spec },
  };
}

export function job(
  name: string,
  given: Partial<JobSpec> & { readonly podSpec?: Partial<PodSpec> } = {},
  metadata: Partial<ObjectMeta> = {},
): Job {
  const { podSpec, ...spec } = given;
  const made = withDefaults(
    any({
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name, namespace: "default", uid: `uid-${name}`, generation: 1, resourceVersion: "1", ...metadata },
      spec: { template: { spec: { ...template(name, "work:1").spec, restartPolicy: "Never", ...podSpec } }, ...spec },
    } as Job),
  ) as unknown as { -readonly [K in keyof Job]: Job[K] };
  generateSelector(made as unknown as { [field: string]: unknown }, undefined);
  return made;
}

export function cronJob(name: string, given: Partial<CronJobSpec> = {}, metadata: Partial<ObjectMeta> = {}): CronJob {
  const { template } = job(name).spec;
  return withDefaults(
    any({
      apiVersion: "batch/v1",
      kind: "CronJob",
      metadata: { name, namespace: "default", uid: `uid-${name}`, generation: 1, resourceVersion: "1", ...metadata },
      spec: {
        schedule: "* * * * *",
        jobTemplate: { spec: { template: { spec: template.spec } } },
        ...given,
      },
    } as CronJob),
  ) as unknown as CronJob;
}

export function pod(
  name: string,
  given: { spec?: Partial<PodSpec>; status?: PodStatus; metadata?: Partial<ObjectMeta> } = {},
): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: "default",
      uid: `uid-${name}`,
      generation: 1,
      resourceVersion: "1",
      ...given.metadata,
    },
    spec: { containers: [{ name: "main", image: "web:1" }], terminationGracePeriodSeconds: 30, ...given.spec },
    status: { phase: "Pending", ...given.status },
  };
}

export function ownedBy(owner: { apiVersion: string; kind: string; metadata: ObjectMeta }): Partial<ObjectMeta> {
  const { apiVersion, kind, metadata } = owner;
  return {
    ownerReferences: [
      { apiVersion, kind, name: metadata.name, uid: metadata.uid ?? "", controller: true, blockOwnerDeletion: true },
    ],
  };
}

export function readyStatus(now: number, ready = true): PodStatus {
  return {
    phase: "Running",
    conditions: [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime: toTimestamp(now) }],
    containerStatuses: [{ name: "main", image: "web:1", imageID: "sha256:1", ready, restartCount: 0 }],
  };
}

/** Of a Pod whose one container has ended. */
export function endedStatus(at: number, exitCode: number): PodStatus {
  const terminated = { exitCode, reason: exitCode === 0 ? "Completed" : "Error", finishedAt: toTimestamp(at) };
  return {
    phase: exitCode === 0 ? "Succeeded" : "Failed",
    conditions: [{ type: "Ready", status: "False", reason: "PodCompleted", lastTransitionTime: toTimestamp(at) }],
    containerStatuses: [
      { name: "main", image: "work:1", imageID: "sha256:1", ready: false, restartCount: 0, state: { terminated } },
    ],
  };
}

export function node(name: string, spec: NodeSpec = {}, allocatable: Record<string, string> = {}): Node {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      uid: `uid-${name}`,
      generation: 1,
      resourceVersion: "1",
      labels: { "kubernetes.io/hostname": name },
    },
    spec,
    status: {
      allocatable: { cpu: "4", memory: "8Gi", pods: "110", ...allocatable },
      conditions: [{ type: "Ready", status: "True", reason: "AgentReady" }],
    },
  };
}

export function any(object: { readonly metadata: ObjectMeta }): AnyObject {
  return object as unknown as AnyObject;
}
