import type { Condition, LabelSelector } from "../src/api/object.js";
import type {
  Container,
  ContainerState,
  ContainerStatus,
  PodTemplateSpec,
  Probe,
  VolumeMount,
} from "../src/api/kinds/pod.js";

/** Field name and value; a nested list is a section indented below its name. */
export type Line = readonly [name: string, value: string | readonly Line[]];

export function containerLines(container: Container, status: ContainerStatus | undefined): Line[] {
  const lines: Line[] = [["Image", container.image]];
  if (status) {
    lines.push(["Container ID", status.containerID ?? "<none>"], ["Image ID", status.imageID || "<none>"]);
    lines.push(["State", stateText(status.state)]);
    if (status.lastState && Object.keys(status.lastState).length > 0)
      lines.push(["Last State", stateText(status.lastState)]);
    lines.push(["Ready", status.ready ? "True" : "False"], ["Restart Count", String(status.restartCount)]);
  }
  if (container.ports?.length)
    lines.push(["Ports", container.ports.map((port) => `${port.containerPort}/${port.protocol ?? "TCP"}`).join(", ")]);
  if (container.command) lines.push(["Command", container.command.join(" ")]);
  if (container.args) lines.push(["Args", container.args.join(" ")]);
  if (container.resources?.requests) lines.push(["Requests", pairs(container.resources.requests)]);
  if (container.resources?.limits) lines.push(["Limits", pairs(container.resources.limits)]);
  for (const [name, probe] of [
    ["Liveness", container.livenessProbe],
    ["Readiness", container.readinessProbe],
    ["Startup", container.startupProbe],
  ] as const) {
    if (probe) lines.push([name, probeText(probe)]);
  }
  if (container.volumeMounts?.length) lines.push(["Mounts", container.volumeMounts.map(mountLine)]);
  for (const { configMapRef, secretRef, prefix } of container.envFrom ?? []) {
    const from = configMapRef ? `config map ${configMapRef.name}` : `secret ${secretRef?.name}`;
    lines.push(["Environment From", `${from}${prefix ? ` with prefix ${prefix}` : ""}`]);
  }
  if (container.env?.length) {
    lines.push([
      "Environment",
      container.env.map((variable): Line => [variable.name, variable.value ?? sourceText(variable.valueFrom)]),
    ]);
  }
  return lines;
}

function mountLine({ name, mountPath, readOnly, subPath, subPathExpr }: VolumeMount): Line {
  const part = subPath || subPathExpr;
  return [mountPath, `from ${name}${part ? `, path ${part}` : ""}${readOnly === true ? ", read-only" : ""}`];
}

function sourceText(source: NonNullable<Container["env"]>[number]["valueFrom"]): string {
  if (source?.configMapKeyRef)
    return `<key ${source.configMapKeyRef.key} of config map ${source.configMapKeyRef.name}>`;
  if (source?.secretKeyRef) return `<key ${source.secretKeyRef.key} of secret ${source.secretKeyRef.name}>`;
  return source?.fieldRef ? `<field ${source.fieldRef.fieldPath}>` : "";
}

function stateText(state: ContainerState | undefined): string {
  if (state?.running) return `Running since ${state.running.startedAt ?? "<unknown>"}`;
  if (state?.terminated) {
    const { reason, exitCode, finishedAt } = state.terminated;
    return `Terminated: ${reason ?? "Error"}, exit code ${exitCode}${finishedAt === undefined ? "" : `, ${finishedAt}`}`;
  }
  const waiting = state?.waiting;
  return `Waiting${waiting?.reason === undefined ? "" : `: ${waiting.reason}`}${waiting?.message === undefined ? "" : ` (${waiting.message})`}`;
}

function probeText(probe: Probe): string {
  const how = probe.exec
    ? `exec [${probe.exec.command.join(" ")}]`
    : probe.httpGet
      ? `http-get :${probe.httpGet.port}${probe.httpGet.path ?? "/"}`
      : `tcp-socket :${probe.tcpSocket?.port}`;
  return `${how} delay=${probe.initialDelaySeconds ?? 0}s timeout=${probe.timeoutSeconds ?? 1}s period=${probe.periodSeconds ?? 10}s #success=${probe.successThreshold ?? 1} #failure=${probe.failureThreshold ?? 3}`;
}

export function templateLines(template: PodTemplateSpec): Line[] {
  return [
    ["Labels", pairs(template.metadata?.labels)],
    [
      "Containers",
      template.spec.containers.map((container): Line => [container.name, containerLines(container, undefined)]),
    ],
  ];
}

export function conditionLines(conditions: readonly Condition[] | undefined): Line {
  return [
    "Conditions",
    (conditions ?? []).map(({ type, status, reason, message }): Line => [
      type,
      [status, reason, message].filter((part) => part !== undefined && part !== "").join("  "),
    ]),
  ];
}

export function selectorText(selector: LabelSelector): string {
  const expressions = (selector.matchExpressions ?? []).map(
    ({ key, operator, values }) => `${key} ${operator}${values ? ` (${values.join(",")})` : ""}`,
  );
  return [...Object.entries(selector.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`), ...expressions].join(
    ",",
  );
}

export function pairs(map: Readonly<Record<string, string>> | undefined): string {
  return (
    Object.entries(map ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .join(", ") || "<none>"
  );
}
