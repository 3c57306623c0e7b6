import type { Column } from "../kind.js";
import type { AnyObject, Condition } from "../object.js";
import { countAt, listAt, textAt, valueAt } from "../path.js";
import { fromTimestamp } from "../time.js";
import { ageColumn, ageSince, column, nameColumn, wide } from "./shared-columns.js";

/** What `get pods` shows, as kubectl's printer does. */
export const podColumns: readonly Column[] = [
  nameColumn,
  column("Ready", "Ready containers of all", (pod) => {
    const statuses = listAt(pod, "status", "containerStatuses");
    const ready = statuses.filter((status) => valueAt(status, "ready") === true && isRunning(status)).length;
    return `${ready}/${listAt(pod, "spec", "containers").length}`;
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
  wide(column("Readiness Gates", "Conditions beside readiness", () => "<none>")),
];

/** One word for people: `Running`, `CrashLoopBackOff`, `Terminating`, `Completed`, `ExitCode:3`. */
function podState(pod: AnyObject): string {
  const phase = textAt(pod, ["status", "phase"], "Pending");
  const reason = textAt(pod, ["status", "reason"]);
  if (pod.metadata.deletionTimestamp !== undefined && phase !== "Succeeded" && phase !== "Failed")
    return reason === "NodeLost" ? "Unknown" : "Terminating";
  let state = reason === "" ? phase : reason;
  let running = false;
  for (const status of listAt(pod, "status", "containerStatuses").toReversed()) {
    const trouble = containerTrouble(status);
    if (trouble !== "") state = trouble;
    else if (valueAt(status, "ready") === true && isRunning(status)) running = true;
  }
  return state === "Completed" && running ? (isReady(pod) ? "Running" : "NotReady") : state;
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
  for (const status of listAt(pod, "status", "containerStatuses")) {
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
