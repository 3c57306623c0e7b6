import type { Container, Pod } from "../../src/api/kinds/pod.js";
import type { AgentEvent } from "./agent-events.js";
import { allContainers } from "./container-role.js";
import type { ImageResult } from "./images.js";
import type { Waiting } from "./plan.js";
import type { ProbeKind } from "./probe-schedule.js";
import { setUpFailed, type VolumePlan } from "./volume-plan.js";

/** Tells what happens to one Pod, as events under the names that a kubelet gives them. */
export class PodTeller {
  readonly #uid: string;
  readonly #tell: (event: AgentEvent) => void;
  #pod: Pod | undefined;
  /** What was last said: why each container waits, and why each volume is not there. */
  #waiting: ReadonlyMap<string, Waiting> = new Map();
  readonly #refusals = new Map<string, string>();

  constructor(uid: string, tell: (event: AgentEvent) => void) {
    this.#uid = uid;
    this.#tell = tell;
  }

  set pod(pod: Pod | undefined) {
    this.#pod = pod;
  }

  pulling(container: string, reference: string): void {
    this.#say("Normal", "Pulling", `Pulling image "${reference}"`, container);
  }

  image(container: string, reference: string, result: ImageResult): void {
    if (result.status === "ready") {
      const { pulledMs } = result;
      const message =
        pulledMs === undefined
          ? `Container image "${reference}" already present on machine`
          : `Successfully pulled image "${reference}" in ${(pulledMs / 1000).toFixed(3)}s`;
      this.#say("Normal", "Pulled", message, container);
      return;
    }
    const { reason, message } = result;
    if (reason === "ErrImagePull") {
      this.#say("Warning", "Failed", `Failed to pull image "${reference}": ${message}`, container);
    } else {
      const told = {
        ErrImageNeverPull: "ErrImageNeverPull",
        ImageInspectError: "InspectFailed",
        InvalidImageName: "InspectFailed",
      };
      this.#say("Warning", told[reason], message, container);
    }
    this.#say("Warning", "Failed", `Error: ${reason}`, container);
  }

  sandboxReplaced(): void {
    this.#say("Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
  }

  sandboxFailed(message: string): void {
    this.#say("Warning", "FailedCreatePodSandBox", `Failed to create pod sandbox: ${message}`);
  }

  created(container: string): void {
    this.#say("Normal", "Created", `Created container ${container}`, container);
  }

  started(container: string): void {
    this.#say("Normal", "Started", `Started container ${container}`, container);
  }

  containerFailed(container: string, message: string): void {
    this.#say("Warning", "Failed", `Error: ${message}`, container);
  }

  killing(container: string, why: string | undefined): void {
    this.#say("Normal", "Killing", `Stopping container ${container}${why === undefined ? "" : `: ${why}`}`, container);
  }

  unhealthy(container: string, kind: ProbeKind, message: string): void {
    const probe = `${kind[0]?.toUpperCase()}${kind.slice(1)}`;
    this.#say("Warning", "Unhealthy", `${probe} probe failed: ${message}`, container);
  }

  hookFailed(container: string, hook: "PostStart" | "PreStop", message: string): void {
    this.#say("Warning", `Failed${hook}Hook`, `${hook}Hook failed: ${message}`, container);
  }

  volumeFailed(volume: string, message: string): void {
    this.#say("Warning", "FailedMount", setUpFailed(volume, message));
  }

  evicted(message: string): void {
    this.#say("Warning", "Evicted", message);
  }

  /** Volumes that can't be planned: told when the reason is a new one. */
  volumes(wanted: ReadonlyMap<string, VolumePlan | string>): void {
    for (const [name, plan] of wanted) {
      if (typeof plan !== "string") this.#refusals.delete(name);
      else if (this.#refusals.get(name) !== plan) {
        this.#refusals.set(name, plan);
        this.#say("Warning", "FailedMount", plan);
      }
    }
  }

  /** Containers that have begun to wait for another reason. */
  waiting(now: ReadonlyMap<string, Waiting>): void {
    const before = this.#waiting;
    this.#waiting = now;
    for (const [name, { reason, message = "" }] of now) {
      if (before.get(name)?.reason === reason) continue;
      const { namespace = "default", name: podName = "" } = this.#pod?.metadata ?? {};
      if (reason === "CrashLoopBackOff") {
        const text = `Back-off restarting failed container ${name} in pod ${podName}_${namespace}(${this.#uid})`;
        this.#say("Warning", "BackOff", text, name);
      } else if (reason === "ImagePullBackOff") {
        this.#say("Normal", "BackOff", `Back-off pulling image "${this.#container(name)?.image}"`, name);
        this.#say("Warning", "Failed", "Error: ImagePullBackOff", name);
      } else if (reason === "CreateContainerConfigError") this.containerFailed(name, message);
    }
  }

  #say(type: AgentEvent["type"], reason: string, message: string, container?: string): void {
    if (this.#pod === undefined) return;
    const { namespace = "default", name } = this.#pod.metadata;
    const isInit = (this.#pod.spec.initContainers ?? []).some((one) => one.name === container);
    const fieldPath =
      container === undefined ? undefined : `spec.${isInit ? "initContainers" : "containers"}{${container}}`;
    this.#tell({ pod: { uid: this.#uid, namespace, name }, fieldPath, type, reason, message });
  }

  #container(name: string): Container | undefined {
    return this.#pod && allContainers(this.#pod).find((one) => one.name === name);
  }
}
