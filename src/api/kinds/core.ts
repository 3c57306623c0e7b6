import type { Condition, KubeObject, ObjectMeta } from "../object.js";

/** A name space for objects; what is in it goes with it. */
export type Namespace = KubeObject<
  { readonly finalizers?: readonly string[] },
  { readonly phase?: "Active" | "Terminating" }
>;

/** A machine that runs Pods. */
export type Node = KubeObject<NodeSpec, NodeStatus>;

export interface NodeSpec {
  /** The range of addresses for this node's Pods, e.g. `10.244.3.0/24`. */
  readonly podCIDR?: string;
  readonly unschedulable?: boolean;
  readonly taints?: readonly Taint[];
}

export interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
  readonly timeAdded?: string;
}

export interface NodeStatus {
  readonly capacity?: Readonly<Record<string, string>>;
  readonly allocatable?: Readonly<Record<string, string>>;
  readonly conditions?: readonly Condition[];
  readonly addresses?: readonly { readonly type: string; readonly address: string }[];
  readonly nodeInfo?: Readonly<Record<string, string>>;
  readonly images?: readonly { readonly names?: readonly string[]; readonly sizeBytes?: number }[];
}

/** Settings by key, as texts or bytes. */
export interface ConfigMap {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly data?: Readonly<Record<string, string>>;
  /** Base64. */
  readonly binaryData?: Readonly<Record<string, string>>;
  readonly immutable?: boolean;
}

/** Settings by key that only few may read. */
export interface Secret {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly type?: string;
  /** Base64. */
  readonly data?: Readonly<Record<string, string>>;
  /** Write-only; folded into `data` by defaulting. */
  readonly stringData?: Readonly<Record<string, string>>;
  readonly immutable?: boolean;
}

/** core/v1 Event; repeated ones are counted in one object. */
export interface Event {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly involvedObject: ObjectReference;
  readonly reason?: string;
  readonly message?: string;
  readonly type?: "Normal" | "Warning";
  readonly count?: number;
  readonly firstTimestamp?: string;
  readonly lastTimestamp?: string;
  readonly source?: { readonly component?: string; readonly host?: string };
}

export interface ObjectReference {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly fieldPath?: string;
}
