import type { Env } from "../../src/base/env.js";
import type { Container, LifecycleHandler } from "../../src/api/kinds/pod.js";
import { httpRequestOf, type ProbeNetwork } from "./prober.js";
import type { ContainerRuntime } from "./runtime.js";

export interface HookTarget {
  readonly containerId: string;
  readonly container: Container;
  readonly podIP: string;
}

export interface HookMeans {
  readonly env: Pick<Env, "timers">;
  readonly runtime: Pick<ContainerRuntime, "exec">;
  readonly network: ProbeNetwork;
}

/**
 * Carries out one lifecycle hook of a running container. `done` gets why it failed, once; after `cancel` it is not called. A hook that
 * takes longer than `timeoutMs` has failed, and what it began may run on. As in Kubernetes any answer to an HTTP request will do.
 */
export function runHook(
  { env, runtime, network }: HookMeans,
  target: HookTarget,
  handler: LifecycleHandler,
  timeoutMs: number,
  done: (failure: string | undefined) => void,
): { cancel(): void } {
  const { exec, httpGet, sleep } = handler;
  let over = false;
  const end = (failure: string | undefined): void => {
    if (over) return;
    over = true;
    done(failure);
  };
  const cancel = (): void => {
    over = true;
  };
  if (exec !== undefined) {
    const { containerId } = target;
    const request = { containerId, command: exec.command, timeoutMs, outputBytesMax };
    runtime.exec(request, (error, result) => {
      if (error !== null) end(error.message);
      else end(result.exitCode === 0 ? undefined : `exit code ${result.exitCode}: ${result.output}`);
    });
  } else if (httpGet !== undefined) {
    network.http(httpRequestOf(httpGet, target.container, target.podIP, timeoutMs), (error) => end(error?.message));
  } else {
    const wantedMs = (sleep?.seconds ?? 0) * 1000;
    const timer = env.timers.after(Math.min(wantedMs, timeoutMs), () =>
      end(wantedMs > timeoutMs ? `no end within ${timeoutMs} ms` : undefined),
    );
    return {
      cancel() {
        cancel();
        timer.cancel();
      },
    };
  }
  return { cancel };
}

const outputBytesMax = 1024;

/** Kubernetes sets postStart no limit; one that takes longer than this hangs. */
export const postStartMsMax = 15 * 60_000;

/** After preStop the stop signal gets at least this, however little of the grace is left (Kubernetes' minimumGracePeriodInSeconds). */
export const afterHookGraceMsMin = 2_000;
