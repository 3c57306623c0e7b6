import type { ikada } from "#proto/agent.js";
import type { FakeContainer } from "../../../../node-agent/core/fake-engine.js";
import type { Rule } from "../../violation.js";
import type { Census } from "../census.js";
import type { Machine } from "../machine.js";
import type { PodBook } from "../pod-book.js";
import type { Truth, TruthStep } from "../truth.js";

/** What the rules of orchestration look at. */
export interface RuleSite {
  readonly truth: Truth;
  readonly census: Census;
  readonly book: PodBook;
  readonly machines: readonly Machine[];
  /** Milliseconds since the world began. */
  readonly now: () => number;
  /** Ends the world. */
  readonly fail: (rule: Rule, message: string) => void;
}

/** One rule: told of what happens as it happens, and asked at the end. Each has one name and one file. */
export interface ClusterRule {
  /** A revision of the store is committed. The truth and the book of Pods show it already. */
  onStep?(step: TruthStep): void;
  onStarted?(machine: Machine, container: FakeContainer): void;
  onEnded?(machine: Machine, container: FakeContainer): void;
  /** An agent has asked for the end of a container that runs. */
  onAsked?(machine: Machine, container: FakeContainer, what: string): void;
  /** A server has sent this to a node's agent. */
  onSent?(node: string, message: ikada.agent.v1.IServerMessage): void;
  /** All is healed and what users want is there; some time has passed since. */
  atEnd?(): void;
}
