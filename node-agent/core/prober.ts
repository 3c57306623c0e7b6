import type { Done, Env, Finished, Timer } from "../../src/base/env.js";
import { IkadaError, type Reason } from "../../src/base/errors.js";
import type { Container, HttpGet, Pod, Probe } from "../../src/api/kinds/pod.js";
import { ProbeSchedule, probeTiming, type ProbeKind } from "./probe-schedule.js";
import type { ContainerRuntime } from "./runtime.js";

/** Requests of probes, from the machine to a Pod. Redirects are not followed, certificates not verified (as in Kubernetes). */
export interface ProbeNetwork {
  http(request: HttpProbeRequest, done: Done<number>): void;
  /** Connects and closes. */
  tcp(request: { readonly host: string; readonly port: number; readonly timeoutMs: number }, done: Finished): void;
  /** grpc.health.v1: gives the service's state by name, SERVING when it is well. Errors when it does not answer, or knows no such service. */
  grpc(request: GrpcProbeRequest, done: Done<string>): void;
}

export interface GrpcProbeRequest {
  readonly host: string;
  readonly port: number;
  /** "" for the server as a whole. */
  readonly service: string;
  readonly timeoutMs: number;
}

/** A request to a container's Pod, or to the host that it names. */
export function httpRequestOf(
  { host, port, path = "/", scheme = "HTTP", httpHeaders = [] }: HttpGet,
  container: Container,
  podIP: string,
  timeoutMs: number,
): HttpProbeRequest {
  return {
    scheme,
    host: host || podIP,
    port: portNumber(port, container),
    path: path.startsWith("/") ? path : `/${path}`,
    headers: httpHeaders,
    timeoutMs,
  };
}

/** Validation has made sure that a name is one of the container's ports. */
function portNumber(port: number | string, container: Container): number {
  if (typeof port === "number") return port;
  const named = container.ports?.find(({ name }) => name === port);
  return named?.containerPort ?? Number(port);
}

export interface HttpProbeRequest {
  readonly scheme: "HTTP" | "HTTPS";
  readonly host: string;
  readonly port: number;
  /** With query, begins with "/". */
  readonly path: string;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly timeoutMs: number;
}

export interface ProbedContainer {
  readonly containerId: string;
  readonly pod: Pod;
  readonly container: Container;
  readonly podIP: string;
  /** Set when the container ran before this agent did. */
  readonly adopted: { readonly startedMs: number; readonly ready: boolean; readonly started: boolean } | undefined;
}

export interface ProbeListener {
  /** The startup probe succeeded, or there is none. Readiness may follow. */
  onReadiness(ready: boolean, started: boolean): void;
  /** One probe failed, whatever follows from that. Of readiness not within the first period: it is asked more often then than was wished. */
  onFailure?(kind: ProbeKind, message: string): void;
  /** Liveness or startup failed for good: the container must be replaced. Called once. */
  onUnhealthy(kind: ProbeKind, message: string): void;
}

/**
 * Probes one running container until closed. Liveness and readiness wait for the startup probe; after a verdict of unhealthy nothing
 * is probed any more. One probe of each kind is in flight at most.
 */
export class Prober {
  readonly #env: Pick<Env, "clock" | "timers" | "random">;
  readonly #runtime: Pick<ContainerRuntime, "exec">;
  readonly #network: ProbeNetwork;
  readonly #target: ProbedContainer;
  readonly #listener: ProbeListener;
  readonly #begunAt: number;
  readonly #timers = new Map<ProbeKind, Timer>();
  #started: boolean;
  #ready: boolean;
  #closed = false;

  constructor(
    env: Pick<Env, "clock" | "timers" | "random">,
    runtime: Pick<ContainerRuntime, "exec">,
    network: ProbeNetwork,
    target: ProbedContainer,
    listener: ProbeListener,
  ) {
    this.#env = env;
    this.#runtime = runtime;
    this.#network = network;
    this.#target = target;
    this.#listener = listener;
    this.#begunAt = env.clock.monotonic();
    const { startupProbe, readinessProbe } = target.container;
    this.#started = startupProbe === undefined || target.adopted?.started === true;
    this.#ready = readinessProbe === undefined || target.adopted?.ready === true;
    if (this.#started) this.#afterStartup();
    else this.#schedule("startup", startupProbe);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) timer.cancel();
  }

  #afterStartup(): void {
    this.#schedule("readiness", this.#target.container.readinessProbe);
    this.#schedule("liveness", this.#target.container.livenessProbe);
  }

  #schedule(kind: ProbeKind, probe: Probe | undefined): void {
    if (probe === undefined) return;
    const { adopted } = this.#target;
    const now = this.#env.clock.monotonic();
    const known = kind === "readiness" ? adopted?.ready === true : kind === "liveness" && adopted !== undefined;
    const schedule = new ProbeSchedule(
      kind,
      probeTiming(probe),
      now,
      adopted && { startedMs: adopted.startedMs, known, jitter: this.#env.random.next() },
    );
    this.#arm(schedule, probe);
  }

  #arm(schedule: ProbeSchedule, probe: Probe): void {
    const delayMs = Math.max(0, schedule.nextAt - this.#env.clock.monotonic());
    const timer = this.#env.timers.after(delayMs, () => {
      const begunAt = this.#env.clock.monotonic();
      this.#run(probe, schedule.timing.timeoutMs, (failure) => {
        if (this.#closed) return;
        if (failure === noAnswer) this.#passOver(schedule, probe, begunAt);
        else this.#finish(schedule, probe, failure, begunAt);
      });
    });
    this.#timers.set(schedule.kind, timer);
  }

  #passOver(schedule: ProbeSchedule, probe: Probe, begunAt: number): void {
    schedule.passOver(begunAt, this.#env.clock.monotonic());
    this.#arm(schedule, probe);
  }

  #finish(schedule: ProbeSchedule, probe: Probe, failure: string | undefined, begunAt: number): void {
    const { kind } = schedule;
    const isEarly = kind === "readiness" && this.#env.clock.monotonic() - this.#begunAt < schedule.timing.periodMs;
    if (failure !== undefined && !isEarly) this.#listener.onFailure?.(kind, failure);
    const changed = schedule.finish(failure === undefined, begunAt, this.#env.clock.monotonic());
    if (changed && kind === "readiness") {
      this.#ready = schedule.result === true;
      this.#listener.onReadiness(this.#ready, this.#started);
    } else if (changed && failure !== undefined) {
      this.close();
      this.#listener.onUnhealthy(kind, failure);
      return;
    } else if (changed && kind === "startup") {
      this.#started = true;
      this.#listener.onReadiness(this.#ready, true);
      if (!this.#closed) this.#afterStartup();
      return;
    }
    if (!this.#closed) this.#arm(schedule, probe);
  }

  /** `done` gets why the probe failed, or `noAnswer`. */
  #run(probe: Probe, timeoutMs: number, done: (failure: string | undefined | typeof noAnswer) => void): void {
    const { containerId, container, podIP } = this.#target;
    if (probe.exec) {
      const request = { containerId, command: probe.exec.command, timeoutMs, outputBytesMax: outputBytesMax };
      this.#runtime.exec(request, (error, result) => {
        if (error) return done(isOfEngine(error) ? noAnswer : error.message);
        return done(result.exitCode === 0 ? undefined : `exit code ${result.exitCode}: ${result.output}`);
      });
    } else if (probe.httpGet) {
      const request = httpRequestOf(probe.httpGet, container, podIP, timeoutMs);
      this.#network.http(request, (error, status) => {
        if (error) return done(error.message);
        return done(status >= 200 && status < 400 ? undefined : `HTTP probe failed with statuscode: ${status}`);
      });
    } else if (probe.tcpSocket) {
      const { host, port } = probe.tcpSocket;
      const request = { host: host || podIP, port: portNumber(port, container), timeoutMs };
      this.#network.tcp(request, (error) => done(error?.message));
    } else if (probe.grpc) {
      const { port, service = "" } = probe.grpc;
      this.#network.grpc({ host: podIP, port, service, timeoutMs }, (error, status) => {
        if (error) return done(error.message);
        return done(status === "SERVING" ? undefined : `service unhealthy (responded with "${status}")`);
      });
    } else {
      this.#env.timers.after(0, () => done(undefined));
    }
  }
}

const outputBytesMax = 1024;

/**
 * The engine could not run the command. That tells nothing of a container that is well: the result is thrown away, as kubelet's prober
 * does. A container that is no longer there or no longer runs (NotFound, Conflict) is told of by the engine's events, and runs anew by
 * its own exit; a failed probe beside it would end its next run too.
 */
const noAnswer = Symbol("noAnswer");

function isOfEngine(error: Error): boolean {
  return error instanceof IkadaError && ofEngine.has(error.reason);
}

const ofEngine: ReadonlySet<Reason> = new Set(["Unavailable", "Internal", "NotFound", "Conflict"]);
