import type { Condition } from "../../src/api/object.js";
import type { Container, ContainerState, ContainerStatus, Pod, PodPhase, PodStatus } from "../../src/api/kinds/pod.js";
import { toTimestamp } from "../../src/api/time.js";
import type { Waiting } from "./plan.js";
import type { ContainerExit, ContainerRecord, PodRecord } from "./pod-record.js";
import { endedForGood, isFinished, restartPolicyOf } from "./pod-task.js";
import type { ContainerInfo } from "./runtime.js";

export interface StatusInput {
  readonly pod: Pod;
  readonly record: PodRecord;
  readonly observed: readonly ContainerInfo[];
  readonly waiting: ReadonlyMap<string, Waiting>;
  readonly hostIP: string;
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
  const initialized = initContainers.every(({ name }) => record.containers[name]?.exit?.exitCode === 0);
  const phase = phaseOf(input, initialized, statuses);
  const ip = input.observed.find((info) => info.role === "sandbox" && info.phase === "running")?.ip ?? before?.podIP;
  const startTime = before?.startTime ?? toTimestamp(record.firstSeenAt);
  return {
    phase,
    conditions: conditionsOf(input, initialized, phase, statuses),
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
  const running = info?.phase === "running" && record?.exit === undefined;
  const started = running && (container.startupProbe === undefined || record?.started === true);
  const ready = started && (container.readinessProbe === undefined || record?.ready === true);
  const { state, last } = statesOf(container, input, record, running ? info : undefined);
  const succeeded = init && record?.exit?.exitCode === 0;
  return {
    name,
    image: container.image,
    imageID: info?.imageId ?? "",
    ...(info && { containerID: `docker://${info.id}` }),
    ready: init ? succeeded : ready,
    started,
    restartCount: record?.attempt ?? 0,
    state,
    ...(last && { lastState: { terminated: terminated(last) } }),
  };
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

function phaseOf(input: StatusInput, initialized: boolean, statuses: readonly ContainerStatus[]): PodPhase {
  const { pod, record } = input;
  // A finished Pod, and one that was told to end and whose containers have all ended, never changes its phase again.
  const exits = pod.spec.containers.map(({ name }) => record.containers[name]?.exit);
  const stopped = record.terminatingSince !== undefined && statuses.every(({ state }) => state?.running === undefined);
  if (isFinished(pod, record) || (stopped && exits.every((exit) => exit !== undefined))) {
    return exits.every((exit) => exit?.exitCode === 0) ? "Succeeded" : "Failed";
  }
  if (!initialized) return "Pending";
  const everStarted = pod.spec.containers.every(({ name }, at) => {
    const known = record.containers[name];
    return statuses[at]?.state?.running !== undefined || known?.exit !== undefined || (known?.attempt ?? 0) > 0;
  });
  return everStarted ? "Running" : "Pending";
}

function conditionsOf(
  input: StatusInput,
  initialized: boolean,
  phase: PodPhase,
  statuses: readonly ContainerStatus[],
): readonly Condition[] {
  const over = phase === "Succeeded" || phase === "Failed";
  const unready = statuses.filter(({ ready }) => !ready).map(({ name }) => name);
  const readiness: Pick<Condition, "status" | "reason" | "message"> =
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
  const uninitialized = (input.pod.spec.initContainers ?? [])
    .filter(({ name }) => input.record.containers[name]?.exit?.exitCode !== 0)
    .map(({ name }) => name);
  const own: readonly Omit<Condition, "lastTransitionTime">[] = [
    { type: "PodScheduled", status: "True" },
    initialized
      ? { type: "Initialized", status: "True" }
      : {
          type: "Initialized",
          status: "False",
          reason: "ContainersNotInitialized",
          message: `containers with incomplete status: [${uninitialized.join(" ")}]`,
        },
    { type: "ContainersReady", ...readiness },
    { type: "Ready", ...readiness },
  ];
  const before = input.before?.conditions ?? [];
  const foreign = before.filter((condition) => !own.some(({ type }) => type === condition.type));
  return [...foreign, ...own.map((condition) => withTransition(condition, before, input.now))];
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
