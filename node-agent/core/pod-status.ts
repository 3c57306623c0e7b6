import { isMovable, isPinOf } from "../../src/api/image-pins.js";
import { taggedReference } from "../../src/api/image-reference.js";
import type { Condition } from "../../src/api/object.js";
import type { Container, ContainerState, ContainerStatus, Pod, PodPhase, PodStatus } from "../../src/api/kinds/pod.js";
import { toTimestamp } from "../../src/api/time.js";
import type { Waiting } from "./plan.js";
import type { ContainerExit, ContainerRecord, PodRecord } from "./pod-record.js";
import { endedForGood, hasStarted, initDone, isFinished, isSidecar, restartPolicyOf } from "./container-role.js";
import type { ContainerInfo } from "./runtime.js";

export interface StatusInput {
  readonly pod: Pod;
  readonly record: PodRecord;
  readonly observed: readonly ContainerInfo[];
  readonly waiting: ReadonlyMap<string, Waiting>;
  readonly hostIP: string;
  /** A container is being made or started at this moment. */
  readonly isMaking?: boolean;
  /** The status before, for times of transition; at first the one in the Pod. */
  readonly before: PodStatus | undefined;
  /** Wall milliseconds. */
  readonly now: number;
}

/** A Pod's status as kubelet computes it (pkg/kubelet/kubelet_pods.go, status/generate.go), the same for the same input. */
export function podStatus(input: StatusInput): PodStatus {
  const { pod, record, before } = input;
  const initContainers = pod.spec.initContainers ?? [];
  const initStatuses = initContainers.map((container) => containerStatus(container, input, true));
  const statuses = pod.spec.containers.map((container) => containerStatus(container, input, false));
  const uninitialized = initContainers
    .filter((container, at) => !initDone(container, record.containers[container.name], runs(initStatuses[at])))
    .map(({ name }) => name);
  // A sidecar that crashes later takes nothing back.
  const initialized = record.initialized === true || uninitialized.length === 0;
  const sidecars = initStatuses.filter((_, at) => isSidecar(initContainers[at] as Container));
  const phase = phaseOf(input, initialized, statuses, sidecars);
  const sandbox = input.observed.find((info) => info.role === "sandbox" && info.phase === "running");
  const nodeIP = sandbox !== undefined && pod.spec.hostNetwork === true ? input.hostIP : undefined;
  const ip = sandbox?.ip ?? nodeIP ?? before?.podIP;
  const startTime = before?.startTime ?? toTimestamp(record.firstSeenAt);
  const { eviction } = record;
  return {
    phase,
    ...(eviction !== undefined && phase === "Failed" && { reason: "Evicted", message: eviction.message }),
    conditions: conditionsOf(input, {
      uninitialized: initialized ? [] : uninitialized,
      phase,
      statuses: [...sidecars, ...statuses],
      hasSandbox: sandbox !== undefined,
    }),
    ...(input.hostIP !== "" && { hostIP: input.hostIP, hostIPs: [{ ip: input.hostIP }] }),
    ...(ip !== undefined && { podIP: ip, podIPs: [{ ip }] }),
    startTime,
    ...(initStatuses.length > 0 && { initContainerStatuses: initStatuses }),
    containerStatuses: statuses,
  };
}

function containerStatus(container: Container, input: StatusInput, init: boolean): ContainerStatus {
  const { name } = container;
  const record = input.record.containers[name];
  const info = input.observed.find(
    (one) => one.role === "container" && one.containerName === name && one.attempt === record?.attempt,
  );
  // Until its postStart hook has succeeded a container counts as one that is being made.
  const hooked = container.lifecycle?.postStart === undefined || record?.hooked === true;
  const running = info?.phase === "running" && record?.exit === undefined && hooked;
  const started = running && hasStarted(container, record);
  const ready = started && (container.readinessProbe === undefined || record?.ready === true);
  const { state, last } = statesOf(container, input, record, running ? info : undefined);
  const succeeded = init && record?.exit?.exitCode === 0;
  return {
    name,
    image: container.image,
    imageID: info === undefined ? "" : imageIDOf(container, info),
    ...(info && { containerID: `docker://${info.id}` }),
    ready: init && !isSidecar(container) ? succeeded : ready,
    started,
    restartCount: record?.attempt ?? 0,
    state,
    ...(last && { lastState: { terminated: terminated(last) } }),
  };
}

/** As registries know it, where one gave it: so other nodes can get the same. */
function imageIDOf({ image: reference }: Container, { image, imageId }: ContainerInfo): string {
  const isLasting = isPinOf(reference, image) || (!isMovable(reference) && image === taggedReference(reference));
  return isLasting ? image : imageId;
}

function statesOf(
  container: Container,
  input: StatusInput,
  record: ContainerRecord | undefined,
  running: ContainerInfo | undefined,
): { state: ContainerState; last: ContainerExit | undefined } {
  if (running) {
    const { startedAt } = running;
    return {
      state: { running: startedAt === undefined ? {} : { startedAt: toTimestamp(startedAt) } },
      last: record?.previous,
    };
  }
  const waiting = input.waiting.get(container.name);
  const exit = record?.exit;
  if (exit !== undefined && (waiting === undefined || endedForGood(record, restartPolicyOf(input.pod, container)))) {
    return { state: { terminated: terminated(exit) }, last: record?.previous };
  }
  return { state: { waiting: waiting ?? { reason: "ContainerCreating" } }, last: exit ?? record?.previous };
}

function terminated(exit: ContainerExit): NonNullable<ContainerState["terminated"]> {
  return {
    exitCode: exit.exitCode,
    ...(exit.exitCode > 128 && exit.exitCode < 160 && { signal: exit.exitCode - 128 }),
    reason: exit.reason,
    ...(exit.message !== undefined && { message: exit.message }),
    ...(exit.startedAt !== undefined && { startedAt: toTimestamp(exit.startedAt) }),
    finishedAt: toTimestamp(exit.finishedAt),
    ...(exit.containerId !== undefined && { containerID: `docker://${exit.containerId}` }),
  };
}

function runs(status: ContainerStatus | undefined): boolean {
  return status?.state?.running !== undefined;
}

function phaseOf(
  input: StatusInput,
  initialized: boolean,
  statuses: readonly ContainerStatus[],
  sidecars: readonly ContainerStatus[],
): PodPhase {
  const { pod, record } = input;
  const isEmpty = !input.observed.some((info) => info.role === "container" && info.phase === "running");
  if (record.eviction !== undefined && isEmpty && input.isMaking !== true) return "Failed";
  // A finished Pod, and one that was told to end and whose containers have all ended, never changes its phase again.
  const exits = pod.spec.containers.map(({ name }) => record.containers[name]?.exit);
  const stopped = record.terminatingSince !== undefined && !statuses.some(runs);
  const over = isFinished(pod, record) || (stopped && exits.every((exit) => exit !== undefined));
  // Sidecars neither keep a Pod from its end nor decide which it is, but it comes after theirs.
  if (over && !sidecars.some(runs)) {
    return exits.every((exit) => exit?.exitCode === 0) ? "Succeeded" : "Failed";
  }
  if (!initialized) return "Pending";
  const everStarted = pod.spec.containers.every(({ name }, at) => {
    const known = record.containers[name];
    return statuses[at]?.state?.running !== undefined || known?.exit !== undefined || (known?.attempt ?? 0) > 0;
  });
  return everStarted ? "Running" : "Pending";
}

interface Findings {
  readonly uninitialized: readonly string[];
  readonly phase: PodPhase;
  /** Of the containers that readiness is about. */
  readonly statuses: readonly ContainerStatus[];
  readonly hasSandbox: boolean;
}

type Verdict = Pick<Condition, "status" | "reason" | "message">;

function conditionsOf(
  input: StatusInput,
  { uninitialized, phase, statuses, hasSandbox }: Findings,
): readonly Condition[] {
  const over = phase === "Succeeded" || phase === "Failed";
  const unready = statuses.filter(({ ready }) => !ready).map(({ name }) => name);
  const readiness: Verdict =
    over && phase === "Succeeded"
      ? { status: "False", reason: "PodCompleted" }
      : over
        ? { status: "False", reason: "PodFailed" }
        : unready.length > 0
          ? {
              status: "False",
              reason: "ContainersNotReady",
              message: `containers with unready status: [${unready.join(" ")}]`,
            }
          : { status: "True" };
  const own: readonly Omit<Condition, "lastTransitionTime">[] = [
    { type: "PodScheduled", status: "True" },
    { type: "PodReadyToStartContainers", status: hasSandbox ? "True" : "False" },
    uninitialized.length === 0
      ? { type: "Initialized", status: "True" }
      : {
          type: "Initialized",
          status: "False",
          reason: "ContainersNotInitialized",
          message: `containers with incomplete status: [${uninitialized.join(" ")}]`,
        },
    { type: "ContainersReady", ...readiness },
    { type: "Ready", ...(readiness.status === "True" ? gatesOf(input.pod) : readiness) },
    ...disruption(input.record),
  ];
  const before = input.before?.conditions ?? [];
  // Others' conditions are not repeated: what is known here of them may be old, and the server keeps what is not spoken of.
  return own.map((condition) => withTransition(condition, before, input.now));
}

/** It did not fail by itself (Kubernetes' names). */
function disruption({ eviction }: PodRecord): readonly Omit<Condition, "lastTransitionTime">[] {
  if (eviction === undefined) return [];
  return [{ type: "DisruptionTarget", status: "True", reason: "TerminationByKubelet", message: eviction.message }];
}

/** Conditions that others set and that readiness waits for too (Kubernetes' words). */
function gatesOf({ spec, status }: Pod): Verdict {
  const conditions = status?.conditions ?? [];
  const closed = (spec.readinessGates ?? [])
    .map(({ conditionType }) => ({ conditionType, found: conditions.find(({ type }) => type === conditionType) }))
    .filter(({ found }) => found?.status !== "True")
    .map(({ conditionType, found }) =>
      found === undefined
        ? `corresponding condition of pod readiness gate "${conditionType}" does not exist.`
        : `the status of pod readiness gate "${conditionType}" is not "True", but ${found.status}`,
    );
  if (closed.length === 0) return { status: "True" };
  return { status: "False", reason: "ReadinessGatesNotReady", message: closed.join(", ") };
}

function withTransition(
  condition: Omit<Condition, "lastTransitionTime">,
  before: readonly Condition[],
  now: number,
): Condition {
  const known = before.find(({ type }) => type === condition.type);
  const same = known?.status === condition.status && known.lastTransitionTime !== undefined;
  return { ...condition, lastTransitionTime: same ? (known.lastTransitionTime as string) : toTimestamp(now) };
}
