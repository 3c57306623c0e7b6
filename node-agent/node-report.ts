import { readFileSync } from "node:fs";
import * as os from "node:os";
import type { Condition } from "../src/api/object.js";
import type { NodeStatus } from "../src/api/kinds/core.js";
import { toTimestamp } from "../src/api/time.js";
import type { NodeResources } from "./node-resources.js";

export interface NodeReportOptions {
  readonly name: string;
  readonly version: string;
  readonly runtime: "docker" | "fake";
  readonly address: string | undefined;
  readonly resources: NodeResources;
  /** What the node is short of, as conditions. */
  readonly pressure: () => readonly Condition[];
  readonly now: () => number;
}

/** What this machine is, and whether it can run Pods. */
export class NodeReport {
  readonly #options: NodeReportOptions;
  readonly address: string;
  #engineError: Error | undefined;
  #changedAt: number;

  constructor(options: NodeReportOptions) {
    this.#options = options;
    this.#changedAt = options.now();
    this.address = options.address ?? firstAddress();
  }

  /** True when that changed the report. */
  setEngine(error: Error | undefined): boolean {
    const changed = (error === undefined) !== (this.#engineError === undefined);
    if (changed) this.#changedAt = this.#options.now();
    const reworded = error?.message !== this.#engineError?.message;
    this.#engineError = error;
    return changed || reworded;
  }

  status(): NodeStatus {
    const { name, version, runtime, resources, pressure } = this.#options;
    return {
      capacity: resources.capacity,
      allocatable: resources.allocatable,
      conditions: [...pressure(), this.#ready()],
      addresses: [
        ...(this.address === "" ? [] : [{ type: "InternalIP", address: this.address }]),
        { type: "Hostname", address: name },
      ],
      nodeInfo: {
        architecture: os.arch() === "x64" ? "amd64" : os.arch(),
        bootID: firstLine("/proc/sys/kernel/random/boot_id"),
        containerRuntimeVersion: runtime,
        kernelVersion: os.release(),
        kubeletVersion: `v${version}`,
        kubeProxyVersion: `v${version}`,
        machineID: firstLine("/etc/machine-id"),
        operatingSystem: os.platform(),
        osImage: os.version(),
        systemUUID: firstLine("/sys/class/dmi/id/product_uuid"),
      },
    };
  }

  #ready(): Condition {
    const lastTransitionTime = toTimestamp(this.#changedAt);
    const error = this.#engineError;
    if (error === undefined) {
      const message = "the agent and the container engine work";
      return { type: "Ready", status: "True", reason: "AgentReady", message, lastTransitionTime };
    }
    const reason = "ContainerRuntimeDown";
    return { type: "Ready", status: "False", reason, message: error.message, lastTransitionTime };
  }
}

function firstAddress(): string {
  const all = Object.values(os.networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? "127.0.0.1";
}

/** "" when this machine does not tell. */
function firstLine(file: string): string {
  try {
    return readFileSync(file, "utf8").split("\n", 1)[0]?.trim() ?? "";
  } catch {
    return "";
  }
}
