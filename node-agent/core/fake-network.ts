import type { Done, Finished } from "../../src/base/env.js";
import { IkadaError } from "../../src/base/errors.js";
import type { FakeEngine } from "./fake-engine.js";
import type { GrpcProbeRequest, HttpProbeRequest, ProbeNetwork } from "./prober.js";

/** Probes of fake Pods: what the image of a running container in the sandbox with that address serves. */
export class FakeProbeNetwork implements ProbeNetwork {
  readonly #engine: FakeEngine;

  constructor(engine: FakeEngine) {
    this.#engine = engine;
  }

  http(request: HttpProbeRequest, done: Done<number>): void {
    this.#answer(request, (error, status) => done(error, status));
  }

  tcp(request: { readonly host: string; readonly port: number; readonly timeoutMs: number }, done: Finished): void {
    this.#answer(request, (error) => done(error));
  }

  /** A service is well when the image answers its port with a status of success. */
  grpc(request: GrpcProbeRequest, done: Done<string>): void {
    this.#answer(request, (error, status) => done(error, status < 400 ? "SERVING" : "NOT_SERVING"));
  }

  #answer(
    { host, port, timeoutMs }: { readonly host: string; readonly port: number; readonly timeoutMs: number },
    done: (error: Error | null, status: number) => void,
  ): void {
    const { containers, timers } = this.#engine;
    const all = [...containers.values()].filter(({ info }) => info.phase === "running");
    const sandbox = all.find(({ info }) => info.ip === host);
    let answer: { readonly status: number; readonly takesMs: number } | undefined;
    for (const { spec, info } of all) {
      if (sandbox !== undefined && spec.sandboxId === sandbox.id) {
        answer ??= this.#engine.findImage(info.imageId)?.image.serve(port);
      }
    }
    const late = answer !== undefined && answer.takesMs > timeoutMs;
    timers.after(Math.min(answer?.takesMs ?? 1, timeoutMs), () => {
      if (late) done(new IkadaError("Deadline", `no answer from ${host}:${port} within ${timeoutMs} ms`), 0);
      else if (answer === undefined) done(new IkadaError("Unavailable", `connect ECONNREFUSED ${host}:${port}`), 0);
      else done(null, answer.status);
    });
  }
}
