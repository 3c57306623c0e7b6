import assert from "node:assert/strict";
import type {
  ContainerInfo,
  ContainerSecurity,
  ContainerSpec,
  SandboxSettings,
} from "../../../node-agent/core/runtime.js";
import type { Done, Finished } from "../../../src/base/env.js";

export const plainSecurity: ContainerSecurity = {
  user: undefined,
  supplementalGroups: [],
  privileged: false,
  capabilities: { add: [], drop: [] },
  readOnlyRoot: false,
  noNewPrivileges: false,
  seccomp: "default",
};

export const plainSandbox: SandboxSettings = {
  hostname: "contract",
  domain: undefined,
  network: "pod",
  ipc: "pod",
  publishedPorts: [],
  dns: undefined,
  hostAliases: [],
  sysctls: [],
};

let pods = 0;

/** Of a Pod that no other run has had. */
export function newPodUid(): string {
  return `${Date.now().toString(36)}${(pods++).toString(36)}`.padStart(12, "0");
}

/** A container with nothing special about it. */
export function plainSpec(
  { image, podUid, podName, command }: Pick<ContainerSpec, "image" | "podUid" | "podName" | "command">,
  more: Partial<ContainerSpec> = {},
): ContainerSpec {
  return {
    podUid,
    podNamespace: "default",
    podName,
    containerName: "main",
    role: "container",
    attempt: 0,
    specHash: "h1",
    image,
    command,
    args: [],
    env: [],
    workingDir: undefined,
    sandbox: undefined,
    sandboxId: undefined,
    cpuSharesMilli: undefined,
    cpuLimitMilli: undefined,
    memoryLimitBytes: undefined,
    processes: "own",
    security: plainSecurity,
    stopSignal: undefined,
    stdin: "none",
    tty: false,
    mounts: [],
    terminationMessage: undefined,
    ...more,
  };
}

/** Completions of a runtime as promises; `until` lets time go on. */
export function completionsOf(until: (what: string, condition: () => boolean) => Promise<void>): {
  readonly done: <T>(call: (done: Done<T>) => void) => Promise<T>;
  readonly finish: (call: (done: Finished) => void) => Promise<void>;
} {
  const done = async <T>(call: (done: Done<T>) => void): Promise<T> => {
    const box: { answer?: { error: Error | null; result: T } } = {};
    let returned = false;
    call((error, result) => {
      assert.ok(returned, "a completion never comes before the call has returned");
      assert.equal(box.answer, undefined, "a completion comes once");
      box.answer = { error, result };
    });
    returned = true;
    await until("completion", () => box.answer !== undefined);
    const answer = box.answer as { error: Error | null; result: T };
    if (answer.error !== null) throw answer.error;
    return answer.result;
  };
  const finish = (call: (done: Finished) => void): Promise<void> =>
    done<void>((callback) => call((error) => callback(error, undefined)));
  return { done, finish };
}

/** What the parts of the suite work with. */
export interface Workbench {
  readonly inspect: (id: string) => Promise<ContainerInfo | undefined>;
  readonly create: (spec: ContainerSpec) => Promise<string>;
  readonly start: (id: string) => Promise<void>;
  readonly stop: (id: string, graceMs: number) => Promise<void>;
  readonly remove: (id: string) => Promise<void>;
  /** Makes and starts a container of a Pod of its own. */
  readonly run: (command: readonly string[], more?: Partial<ContainerSpec>) => Promise<string>;
  readonly sandboxSpec: () => Promise<ContainerSpec>;
  readonly untilPhase: (id: string, wanted: string) => Promise<void>;
  /** Its standard output. */
  readonly printed: (id: string) => Promise<string>;
  readonly pause: (durationMs: number) => Promise<void>;
  readonly impostor: (containerId: string) => Promise<string>;
}
