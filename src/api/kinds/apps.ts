import type { Condition, IntOrString, KubeObject, LabelSelector, ObjectMeta } from "../object.js";
import type { PodTemplateSpec } from "./pod.js";

/** So many Pods of one template. */
export type ReplicaSet = KubeObject<ReplicaSetSpec, ReplicaSetStatus>;

export interface ReplicaSetSpec {
  readonly replicas?: number;
  readonly minReadySeconds?: number;
  readonly selector: LabelSelector;
  readonly template: PodTemplateSpec;
}

export interface ReplicaSetStatus {
  readonly replicas: number;
  readonly fullyLabeledReplicas?: number;
  readonly readyReplicas?: number;
  readonly availableReplicas?: number;
  readonly observedGeneration?: number;
  readonly conditions?: readonly Condition[];
}

/** Pods of a template, replaced step by step when it changes: one ReplicaSet for each template. */
export type Deployment = KubeObject<DeploymentSpec, DeploymentStatus>;

export interface DeploymentSpec {
  readonly replicas?: number;
  readonly selector: LabelSelector;
  readonly template: PodTemplateSpec;
  readonly strategy?: {
    readonly type?: "RollingUpdate" | "Recreate";
    readonly rollingUpdate?: { readonly maxSurge?: IntOrString; readonly maxUnavailable?: IntOrString };
  };
  readonly minReadySeconds?: number;
  readonly revisionHistoryLimit?: number;
  readonly progressDeadlineSeconds?: number;
  readonly paused?: boolean;
}

export interface DeploymentStatus {
  readonly observedGeneration?: number;
  readonly replicas?: number;
  readonly updatedReplicas?: number;
  readonly readyReplicas?: number;
  readonly availableReplicas?: number;
  readonly unavailableReplicas?: number;
  readonly collisionCount?: number;
  readonly conditions?: readonly Condition[];
}

/** Pods with names that last: `web-0`, `web-1`, made and taken away in order. */
export type StatefulSet = KubeObject<StatefulSetSpec, StatefulSetStatus>;

export interface StatefulSetSpec {
  readonly replicas?: number;
  /** The Service that names the Pods; becomes their subdomain. */
  readonly serviceName?: string;
  readonly selector: LabelSelector;
  readonly template: PodTemplateSpec;
  readonly podManagementPolicy?: "OrderedReady" | "Parallel";
  readonly updateStrategy?: {
    readonly type?: "RollingUpdate" | "OnDelete";
    readonly rollingUpdate?: { readonly partition?: number; readonly maxUnavailable?: IntOrString };
  };
  readonly ordinals?: { readonly start?: number };
  readonly minReadySeconds?: number;
  readonly revisionHistoryLimit?: number;
  readonly persistentVolumeClaimRetentionPolicy?: {
    readonly whenDeleted?: "Retain" | "Delete";
    readonly whenScaled?: "Retain" | "Delete";
  };
}

export interface StatefulSetStatus {
  readonly replicas: number;
  readonly observedGeneration?: number;
  readonly readyReplicas?: number;
  readonly availableReplicas?: number;
  /** Pods of `currentRevision`. */
  readonly currentReplicas?: number;
  /** Pods of `updateRevision`. */
  readonly updatedReplicas?: number;
  /** Names of ControllerRevisions. */
  readonly currentRevision?: string;
  readonly updateRevision?: string;
  readonly collisionCount?: number;
  readonly conditions?: readonly Condition[];
}

/** A Pod on each node that it suits. */
export type DaemonSet = KubeObject<DaemonSetSpec, DaemonSetStatus>;

export interface DaemonSetSpec {
  readonly selector: LabelSelector;
  readonly template: PodTemplateSpec;
  readonly updateStrategy?: {
    readonly type?: "RollingUpdate" | "OnDelete";
    readonly rollingUpdate?: { readonly maxSurge?: IntOrString; readonly maxUnavailable?: IntOrString };
  };
  readonly minReadySeconds?: number;
  readonly revisionHistoryLimit?: number;
}

export interface DaemonSetStatus {
  readonly desiredNumberScheduled: number;
  readonly currentNumberScheduled: number;
  readonly numberMisscheduled: number;
  readonly numberReady: number;
  readonly observedGeneration?: number;
  readonly updatedNumberScheduled?: number;
  readonly numberAvailable?: number;
  readonly numberUnavailable?: number;
  readonly collisionCount?: number;
  readonly conditions?: readonly Condition[];
}

/** One template that a StatefulSet or DaemonSet had, kept to go back to. */
export interface ControllerRevision {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  /** A strategic merge patch of its owner: `{ spec: { template } }`, the template with `$patch: replace`. */
  readonly data?: unknown;
  /** Grows with each revision, and when an old one is gone back to. */
  readonly revision: number;
}
