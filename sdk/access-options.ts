import type { CallOptions } from "./deadline.js";
import type { TerminalSize } from "./remote-process.js";

/** Of which namespace a Pod is. */
export interface PodOptions extends CallOptions {
  /** Of the Pod. */
  readonly namespace: string;
}

/** Which container of a Pod. */
export interface ContainerOptions extends PodOptions {
  /** @default the only one, or that of the annotation `kubectl.kubernetes.io/default-container` */
  readonly container?: string;
}

/** How to connect to the main process of a container. */
export interface AttachOptions extends ContainerOptions {
  /** Whether `write` will be called. @default false */
  readonly stdin?: boolean;
  /** Of the terminal that the container has. */
  readonly size?: TerminalSize;
}

/** How to run a command. */
export interface ExecOptions extends AttachOptions {
  /** In a terminal of its own; all output is stdout then. @default false */
  readonly tty?: boolean;
}

/** Of which Pods. */
export interface PodStatsOptions extends CallOptions {
  /** @default all */
  readonly namespace?: string;
  /** Only this Pod. */
  readonly name?: string;
  /** `app=web,tier in (a,b),!old` */
  readonly labelSelector?: string;
}

/** Of which Nodes. */
export interface NodeStatsOptions extends CallOptions {
  /** Only this Node. @default all */
  readonly name?: string;
}

/** What a container uses. */
export interface ContainerUsage {
  /** Of the container. */
  readonly name: string;
  /** Processors in use, mean of the last interval; undefined while it is not known. */
  readonly cpuCores: number | undefined;
  /** In use, without file pages that can be given back at once. */
  readonly memoryBytes: number;
}

/** What a Pod uses. */
export interface PodStats {
  /** Of the Pod. */
  readonly namespace: string;
  /** Of the Pod. */
  readonly name: string;
  /** Where it runs. */
  readonly node: string;
  /** When it was measured, by the node's clock. */
  readonly time: Date;
  /** Those that run. */
  readonly containers: readonly ContainerUsage[];
}

/** What a Node uses, and has. */
export interface NodeStats {
  /** Of the Node. */
  readonly name: string;
  /** Processors in use, mean of the last interval; undefined while it is not known. */
  readonly cpuCores: number | undefined;
  /** Processors that it has. */
  readonly cpuCapacity: number;
  /** What new programs could not have. */
  readonly memoryBytes: number;
  /** What it has. */
  readonly memoryCapacity: number;
  /** When it was measured, by the node's clock. */
  readonly time: Date;
}

/** A Node that told nothing. */
export interface UnreachedNode {
  /** Its name. */
  readonly node: string;
  /** Why, for people. */
  readonly message: string;
}

/** What was measured, and whom nothing is known of. */
export interface Stats<T> {
  /** In the order of names. */
  readonly items: readonly T[];
  /** What runs there is missing in `items`. */
  readonly unreached: readonly UnreachedNode[];
}
