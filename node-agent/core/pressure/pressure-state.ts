import type { Condition } from "../../../src/api/object.js";
import { toTimestamp } from "../../../src/api/time.js";
import { conditionOf, pressureConditions, type MachineSupplies, type PressureCondition } from "./signals.js";
import { unitsIn, type Threshold } from "./thresholds.js";

/** What has to be known from one look to the next, also by the agent's next process. All times are wall milliseconds. */
export interface PressureState {
  /** When thresholds were first met, of those that are met; by `keyOf`. */
  readonly metSince: Readonly<Record<string, number>>;
  readonly conditions: Readonly<Partial<Record<PressureCondition, ConditionState>>>;
}

interface ConditionState {
  /** When a threshold of it was last met; undefined: never. */
  readonly lastMetAt: number | undefined;
  readonly pressed: boolean;
  readonly turnedAt: number;
}

export const noPressure: PressureState = { metSince: {}, conditions: {} };

/** A threshold that is met, with the numbers. */
export interface Met {
  readonly threshold: Threshold;
  readonly wantedUnits: number;
  readonly availableUnits: number;
}

export interface Look {
  readonly state: PressureState;
  /** Thresholds that are met and whose grace is over: something has to go. Memory first, as in Kubernetes. */
  readonly due: readonly Met[];
}

/**
 * One look at the machine. A condition is there while one of its thresholds is met, soft ones too, and for `holdMs` after (Kubernetes'
 * eviction-pressure-transition-period), so that it does not come and go with what is reclaimed.
 */
export function look(
  before: PressureState,
  { supplies }: MachineSupplies,
  thresholds: readonly Threshold[],
  holdMs: number,
  now: number,
): Look {
  const met = thresholds.flatMap((threshold): readonly Met[] => {
    const supply = supplies[threshold.signal];
    if (supply === undefined) return [];
    const wantedUnits = unitsIn(threshold.amount, supply.capacity);
    const wasMet = before.metSince[keyOf(threshold)] !== undefined;
    const more = wasMet ? unitsIn(threshold.reclaim, supply.capacity) : 0;
    const availableUnits = supply.available;
    return availableUnits < wantedUnits + more ? [{ threshold, wantedUnits, availableUnits }] : [];
  });
  const metSince = Object.fromEntries(
    met.map(({ threshold }) => {
      const key = keyOf(threshold);
      // A wall clock that was set back must not make the grace longer.
      return [key, Math.min(before.metSince[key] ?? now, now)] as const;
    }),
  );
  const conditions = Object.fromEntries(
    pressureConditions.map((type) => {
      const isMet = met.some(({ threshold }) => conditionOf(threshold.signal) === type);
      return [type, conditionState(before.conditions[type], isMet, holdMs, now)] as const;
    }),
  );
  const due = met
    .filter(({ threshold }) => now - (metSince[keyOf(threshold)] ?? now) >= threshold.graceMs)
    .sort((left, right) => rankOf(left) - rankOf(right));
  return { state: { metSince, conditions }, due };
}

function conditionState(
  before: ConditionState | undefined,
  isMet: boolean,
  holdMs: number,
  now: number,
): ConditionState {
  const last = before?.lastMetAt === undefined ? undefined : Math.min(before.lastMetAt, now);
  const lastMetAt = isMet ? now : last;
  const pressed = lastMetAt !== undefined && (isMet || now - lastMetAt < holdMs);
  const turned = before === undefined || before.pressed !== pressed;
  return { lastMetAt, pressed, turnedAt: turned ? now : before.turnedAt };
}

/** Hard thresholds before soft ones: they leave no time. */
function rankOf({ threshold }: Met): number {
  return (threshold.signal === "memory.available" ? 0 : 2) + (threshold.graceMs === 0 ? 0 : 1);
}

function keyOf({ signal, graceMs }: Threshold): string {
  return graceMs === 0 ? signal : `${signal}/soft`;
}

export function isPressed(state: PressureState, type: PressureCondition): boolean {
  return state.conditions[type]?.pressed === true;
}

/** For the Node's status. What was never looked at is said to be well, since `now`. */
export function nodeConditions(state: PressureState, now: number): readonly Condition[] {
  return pressureConditions.map((type) => {
    const known = state.conditions[type];
    const pressed = known?.pressed === true;
    const { reason, message } = words[type][pressed ? "pressed" : "well"];
    const lastTransitionTime = toTimestamp(known?.turnedAt ?? now);
    return { type, status: pressed ? "True" : "False", reason, message, lastTransitionTime };
  });
}

type Words = { readonly reason: string; readonly message: string };

const words: Readonly<Record<PressureCondition, Readonly<Record<"pressed" | "well", Words>>>> = {
  MemoryPressure: {
    pressed: { reason: "AgentHasInsufficientMemory", message: "the machine has too little memory available" },
    well: { reason: "AgentHasSufficientMemory", message: "the machine has enough memory available" },
  },
  DiskPressure: {
    pressed: { reason: "AgentHasDiskPressure", message: "a disk of the machine is too full" },
    well: { reason: "AgentHasNoDiskPressure", message: "the machine's disks have enough room" },
  },
  PIDPressure: {
    pressed: { reason: "AgentHasInsufficientPID", message: "the machine has too few process ids available" },
    well: { reason: "AgentHasSufficientPID", message: "the machine has enough process ids available" },
  },
};

/** Reasons of the Node's events when a condition turns, Kubernetes' names. */
export function turnReason(type: PressureCondition, pressed: boolean): string {
  if (type === "DiskPressure") return pressed ? "NodeHasDiskPressure" : "NodeHasNoDiskPressure";
  const what = type === "MemoryPressure" ? "Memory" : "PID";
  return `NodeHas${pressed ? "Insufficient" : "Sufficient"}${what}`;
}
