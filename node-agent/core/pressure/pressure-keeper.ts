import type { Env, Finished, Timer } from "../../../src/base/env.js";
import type { Condition } from "../../../src/api/object.js";
import { qosClassOf } from "../../../src/api/kinds/pod-resources.js";
import type { Pod } from "../../../src/api/kinds/pod.js";
import { pressureTaints } from "../../../src/api/pressure-taints.js";
import { tolerates } from "../../../src/api/toleration.js";
import type { AgentEvent } from "../agent-events.js";
import { StateFile } from "../state-file.js";
import type { EvictablePods } from "./evictable.js";
import { evictionMessage, refusalMessage } from "./eviction-message.js";
import { evictionOrder, isSpared } from "./eviction-order.js";
import type { PodMeter } from "./pod-meter.js";
import type { DiskPart, PodUsage } from "./pod-usage.js";
import {
  isPressed,
  look,
  nodeConditions,
  noPressure,
  turnReason,
  type Met,
  type PressureState,
} from "./pressure-state.js";
import {
  pressureConditions,
  starvedBy,
  type MachineReader,
  type MachineSupplies,
  type PressureCondition,
} from "./signals.js";
import type { Threshold } from "./thresholds.js";

/** In the data folder. */
export const pressureFileName = "pressure.state";

export interface PressureSettings {
  readonly thresholds: readonly Threshold[];
  /** How long a condition stays after the last time that it was met. */
  readonly holdMs: number;
  /** Between two looks. */
  readonly intervalMs: number;
  /** Pods that go for a soft threshold get their own grace, and no more than this. */
  readonly softGraceMsMax: number;
}

export interface PressureMeans {
  readonly env: Pick<Env, "clock" | "timers" | "disk" | "log">;
  readonly machine: MachineReader;
  readonly meter: PodMeter;
  readonly pods: EvictablePods;
  /** Removes images that nobody uses. */
  readonly collectImages: (done: Finished) => void;
  /** The picture of the containers is good enough to decide by it. */
  readonly isReady: () => boolean;
  readonly tell: (event: AgentEvent) => void;
  /** A condition turned. */
  readonly onTurn: () => void;
}

/**
 * Looks at what the machine has left, tells it as the Node's conditions, and makes room when it is too little: first by what nobody needs
 * (containers that have ended, images), then by one Pod after the other, each time looking again. As Kubernetes' pkg/kubelet/eviction.
 */
export class PressureKeeper {
  readonly #settings: PressureSettings;
  readonly #means: PressureMeans;
  readonly #file: StateFile<PressureState>;
  #state: PressureState = noPressure;
  readonly #begunAt: number;
  #savedAt = 0;
  #timer: Timer | undefined;
  #warned: string | undefined;
  #closed = false;

  constructor(settings: PressureSettings, means: PressureMeans) {
    this.#settings = settings;
    this.#means = means;
    this.#file = new StateFile(means.env.disk, pressureFileName);
    this.#begunAt = means.env.clock.now();
  }

  /** What is lost of a damaged file is told anew by the next look. */
  start(done: Finished): void {
    this.#file.load((error, state) => {
      if (error === null) {
        this.#state = state ?? noPressure;
        this.#later(0);
        return done(null);
      }
      this.#means.env.log.error("stored state is damaged and put aside", { what: "pressure", error: error.message });
      return this.#file.setAside((asideError) => {
        if (asideError === null) this.#later(0);
        done(asideError);
      });
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  conditions(): readonly Condition[] {
    return nodeConditions(this.#state, this.#begunAt);
  }

  /**
   * Why a Pod that has just come is not begun with (Kubernetes' eviction manager's Admit); undefined: it is. One that tolerates each condition's
   * taint is: there it would be refused, and its DaemonSet make it again and again.
   */
  refusal({ spec, ...pod }: Pod): string | undefined {
    const pressed = pressureConditions.filter((type) => isPressed(this.#state, type));
    if (pressed.length === 0 || isSpared({ spec, ...pod })) return undefined;
    const asksForSome = qosClassOf(spec) !== "BestEffort";
    const isTaken = (type: PressureCondition): boolean =>
      (type === "MemoryPressure" && asksForSome) ||
      (spec.tolerations ?? []).some((toleration) =>
        tolerates(toleration, { key: pressureTaints[type], effect: "NoSchedule" }),
      );
    return pressed.every(isTaken) ? undefined : refusalMessage(pressed);
  }

  #later(delayMs: number): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#timer = this.#means.env.timers.after(delayMs, () =>
      this.#look((due, supplies) => this.#relieve(due, supplies)),
    );
  }

  /** `next` gets what is short, the most urgent first; nothing when the machine can't be read. */
  #look(next: (due: readonly Met[], supplies: MachineSupplies) => void): void {
    const { env, machine } = this.#means;
    machine.read((error, supplies) => {
      if (this.#closed) return;
      if (error !== null) {
        this.#warn("what the machine has left can't be read", error.message);
        this.#later(this.#settings.intervalMs);
        return;
      }
      const { thresholds, holdMs } = this.#settings;
      const { state, due } = look(this.#state, supplies, thresholds, holdMs, env.clock.now());
      this.#take(state);
      next(due, supplies);
    });
  }

  #take(state: PressureState): void {
    const { env, tell, onTurn } = this.#means;
    const before = this.#state;
    this.#state = state;
    const turned = pressureConditions.filter((type) => isPressed(state, type) !== isPressed(before, type));
    for (const type of turned) {
      const pressed = isPressed(state, type);
      const reason = turnReason(type, pressed);
      env.log.warn("pressure on this node changed", { condition: type, pressed });
      tell({ pod: undefined, fieldPath: undefined, type: "Normal", reason, message: `Node status is now: ${reason}` });
    }
    if (turned.length > 0) onTurn();
    const now = env.clock.now();
    const isOld = pressureConditions.some((type) => isPressed(state, type)) && now - this.#savedAt >= saveEveryMs;
    if (turned.length > 0 || isOld) this.#save(now);
  }

  /** A full disk is what is to be told of here: that it can't be noted stops nothing. */
  #save(now: number): void {
    this.#savedAt = now;
    this.#file.save(this.#state, (error) => {
      if (error !== null) this.#means.env.log.warn("pressure.state not written", { error: error.message });
    });
  }

  #relieve(due: readonly Met[], supplies: MachineSupplies): void {
    const [met] = due;
    const { env, pods, collectImages, isReady, tell } = this.#means;
    if (met === undefined || !isReady()) return this.#later(this.#settings.intervalMs);
    const starved = starvedBy(met.threshold.signal);
    const message = `Attempting to reclaim ${starved}`;
    env.log.warn("too little is left", {
      signal: met.threshold.signal,
      available: met.availableUnits,
      wanted: met.wantedUnits,
    });
    tell({ pod: undefined, fieldPath: undefined, type: "Warning", reason: "EvictionThresholdMet", message });
    if (starved === "memory" || starved === "pids") return this.#evictOne(met, supplies);
    return pods.dropDead(() =>
      collectImages((error) => {
        if (error !== null) env.log.warn("images not collected", { error: error.message });
        this.#look(([still], now) => (still === undefined ? this.#later(0) : this.#evictOne(still, now)));
      }),
    );
  }

  #evictOne(met: Met, supplies: MachineSupplies): void {
    const { meter, pods } = this.#means;
    const starved = starvedBy(met.threshold.signal);
    const candidates = pods.candidates().filter(({ pod }) => !isSpared(pod));
    const choose = (error: Error | null, usages: readonly PodUsage[]): void => {
      if (this.#closed) return;
      const [victim] = evictionOrder(usages, starved, partOf(met, supplies));
      if (error !== null) this.#warn("what Pods use can't be measured", error.message);
      else if (victim === undefined) this.#warn("too little is left, and no Pod can go", met.threshold.signal);
      if (error !== null || victim === undefined) this.#later(this.#settings.intervalMs);
      else this.#evict(victim, met);
    };
    if (starved === "memory" || starved === "pids") meter.running(candidates, choose);
    else meter.onDisk(candidates, "fast", choose);
  }

  #evict(victim: PodUsage, met: Met): void {
    const { env, pods } = this.#means;
    const starved = starvedBy(met.threshold.signal);
    const isSoft = met.threshold.graceMs > 0;
    const ownGraceMs = (victim.pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;
    const graceMs = isSoft ? Math.min(ownGraceMs, this.#settings.softGraceMsMax) : 0;
    const message = evictionMessage(met, victim);
    const dropsContainers = starved === "ephemeral-storage" || starved === "inodes";
    pods.evict(victim.uid, { message, graceMs, dropsContainers });
    this.#warned = undefined;
    const until = env.clock.monotonic() + graceMs + clearMsMax;
    const wait = (): void => {
      if (this.#closed) return;
      const isOver = pods.isCleared(victim.uid) || env.clock.monotonic() >= until;
      if (isOver) this.#later(0);
      else this.#timer = env.timers.after(clearPollMs, wait);
    };
    wait();
  }

  /** Once for each new trouble. */
  #warn(message: string, why: string): void {
    if (this.#warned !== `${message}: ${why}`) this.#means.env.log.warn(message, { why });
    this.#warned = `${message}: ${why}`;
  }
}

/** Which of the Pods' files are on the disk that is short. Output of containers is the engine's. */
function partOf({ threshold }: Met, { hasImageDisk }: MachineSupplies): DiskPart {
  if (!hasImageDisk) return "all";
  return threshold.signal.startsWith("imagefs") ? "image disk" : "node disk";
}

/** How long is waited for what an evicted Pod gives back, before the next look (Kubernetes' podCleanupTimeout). */
const clearMsMax = 30_000;
const clearPollMs = 250;
/** How old the time of the last pressure may be on disk. */
const saveEveryMs = 30_000;
