import type { Column } from "../kind.js";
import type { AnyObject, Condition } from "../object.js";
import { countAt, listAt, textAt, valueAt } from "../path.js";
import { fromTimestamp } from "../time.js";
import { ageColumn, ageSince, column, nameColumn, wide } from "./shared-columns.js";

/** What `get pods` shows, as kubectl's printer does. */
export const podColumns: readonly Column[] = [
  nameColumn,
  column("Ready", "Ready containers of all", (pod) => {
    const sidecars = sidecarNames(pod);
    const statuses = [
      ...listAt(pod, "status", "initContainerStatuses").filter((status) => sidecars.has(textAt(status, ["name"]))),
      ...listAt(pod, "status", "containerStatuses"),
    ];
    const ready = statuses.filter((status) => valueAt(status, "ready") === true && isRunning(status)).length;
    return `${ready}/${listAt(pod, "spec", "containers").length + sidecars.size}`;
  }),
  column("Status", "Phase, or the reason of what is wrong", podState),
  column("Restarts", "Restarts of all containers, and the time since the last", restarts),
  ageColumn,
  wide(column("IP", "Address of the Pod", (pod) => textAt(pod, ["status", "podIP"], "<none>"))),
  wide(column("Node", "Where it runs", (pod) => textAt(pod, ["spec", "nodeName"], "<none>"))),
  wide(
    column("Nominated Node", "Where it waits for room", (pod) =>
      textAt(pod, ["status", "nominatedNodeName"], "<none>"),
    ),
  ),
  wide(column("Readiness Gates", "Conditions beside readiness", readinessGates)),
];

/** One word for people: `Running`, `Init:1/2`, `CrashLoopBackOff`, `Terminating`, `Completed`, `ExitCode:3`. */
function podState(pod: AnyObject): string {
  const phase = textAt(pod, ["status", "phase"], "Pending");
  const reason = textAt(pod, ["status", "reason"]);
  if (pod.metadata.deletionTimestamp !== undefined && phase !== "Succeeded" && phase !== "Failed")
    return reason === "NodeLost" ? "Unknown" : "Terminating";
  const initializing = initState(pod);
  if (initializing !== "") return initializing;
  let state = reason === "" ? phase : reason;
  let running = false;
  for (const status of listAt(pod, "status", "containerStatuses").toReversed()) {
    const trouble = containerTrouble(status);
    if (trouble !== "") state = trouble;
    else if (valueAt(status, "ready") === true && isRunning(status)) running = true;
  }
  return state === "Completed" && running ? (isReady(pod) ? "Running" : "NotReady") : state;
}

/** How far the init containers are, or what is wrong with the first that is not done; "" when all are. */
function initState(pod: AnyObject): string {
  const sidecars = sidecarNames(pod);
  const statuses = listAt(pod, "status", "initContainerStatuses");
  const conditions = listAt(pod, "status", "conditions") as readonly Condition[];
  if (conditions.some(({ type, status }) => type === "Initialized" && status === "True")) return "";
  const all = listAt(pod, "spec", "initContainers").length;
  for (const [done, status] of statuses.entries()) {
    const terminated = valueAt(status, "state", "terminated");
    if (terminated !== undefined && countAt(terminated, "exitCode") === 0) continue;
    if (sidecars.has(textAt(status, ["name"])) && valueAt(status, "started") === true) continue;
    const trouble = containerTrouble(status);
    return `Init:${trouble === "" || trouble === "PodInitializing" ? `${done}/${all}` : trouble}`;
  }
  return "";
}

function sidecarNames(pod: AnyObject): ReadonlySet<string> {
  const inits = listAt(pod, "spec", "initContainers");
  return new Set(
    inits.filter((one) => textAt(one, ["restartPolicy"]) === "Always").map((one) => textAt(one, ["name"])),
  );
}

/** True gates of all. */
function readinessGates(pod: AnyObject): string {
  const gates = listAt(pod, "spec", "readinessGates").map((gate) => textAt(gate, ["conditionType"]));
  const conditions = listAt(pod, "status", "conditions") as readonly Condition[];
  const open = gates.filter((gate) => conditions.some(({ type, status }) => type === gate && status === "True"));
  return gates.length === 0 ? "<none>" : `${open.length}/${gates.length}`;
}

function containerTrouble(status: unknown): string {
  const waiting = textAt(status, ["state", "waiting", "reason"]);
  if (waiting !== "") return waiting;
  if (valueAt(status, "state", "terminated") === undefined) return "";
  const reason = textAt(status, ["state", "terminated", "reason"]);
  if (reason !== "") return reason;
  const signal = countAt(status, "state", "terminated", "signal");
  return signal === 0 ? `ExitCode:${countAt(status, "state", "terminated", "exitCode")}` : `Signal:${signal}`;
}

function restarts(pod: AnyObject, now: number): string {
  let count = 0;
  let last = "";
  const statuses = [
    ...listAt(pod, "status", "containerStatuses"),
    ...(initState(pod) === "" ? [] : listAt(pod, "status", "initContainerStatuses")),
  ];
  for (const status of statuses) {
    count += countAt(status, "restartCount");
    const finished = textAt(status, ["lastState", "terminated", "finishedAt"]);
    if ((fromTimestamp(finished) ?? 0) > (fromTimestamp(last) ?? 0)) last = finished;
  }
  return count === 0 || last === "" ? String(count) : `${count} (${ageSince(last, now)} ago)`;
}

function isRunning(status: unknown): boolean {
  return valueAt(status, "state", "running") !== undefined;
}

function isReady(pod: AnyObject): boolean {
  const all = listAt(pod, "status", "conditions") as readonly Condition[];
  return all.some((condition) => condition.type === "Ready" && condition.status === "True");
}
