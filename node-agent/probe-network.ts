import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import type { Done, Finished } from "../src/base/env.js";
import { IkadaError } from "../src/base/errors.js";
import type { HttpProbeRequest, ProbeNetwork } from "./core/prober.js";
import { grpcProbe } from "./grpc-probe.js";

/** Probes over this machine's network. Nothing is kept open, at most the headers of an answer are read. */
export const hostProbeNetwork: ProbeNetwork = {
  http(probe: HttpProbeRequest, done: Done<number>): void {
    const settle = once((error: Error | null, status: number) => done(error, status));
    const where = `${probe.host}:${probe.port}`;
    const options = {
      host: probe.host,
      port: probe.port,
      path: probe.path,
      headers: headersOf(probe),
      agent: false as const,
      maxHeaderSize: 32 * 1024,
    };
    let timer: NodeJS.Timeout | undefined;
    try {
      // As in Kubernetes the certificate of a Pod is not verified: only its life is asked for.
      const call =
        probe.scheme === "HTTPS" ? httpsRequest({ ...options, rejectUnauthorized: false }) : httpRequest(options);
      timer = setTimeout(() => {
        call.destroy();
        settle(new IkadaError("Deadline", `${where}: no answer within ${probe.timeoutMs} ms`), 0);
      }, probe.timeoutMs);
      call.on("response", (response) => {
        clearTimeout(timer);
        response.on("error", () => undefined);
        call.destroy();
        settle(null, response.statusCode ?? 0);
      });
      call.on("error", (error) => {
        clearTimeout(timer);
        settle(new IkadaError("Unavailable", `${where}: ${error.message}`, {}, error), 0);
      });
      call.end();
    } catch (caught) {
      // Headers or paths that Node refuses to send.
      clearTimeout(timer);
      queueMicrotask(() => settle(IkadaError.from(caught), 0));
    }
  },

  grpc: grpcProbe,

  tcp({ host, port, timeoutMs }, done: Finished): void {
    const settle = once((error: Error | null) => done(error));
    const socket = connect({ host, port });
    const timer = setTimeout(() => {
      socket.destroy();
      settle(new IkadaError("Deadline", `${host}:${port}: no connection within ${timeoutMs} ms`));
    }, timeoutMs);
    socket.on("connect", () => {
      clearTimeout(timer);
      socket.destroy();
      settle(null);
    });
    socket.on("error", (error) => {
      clearTimeout(timer);
      settle(new IkadaError("Unavailable", error.message, {}, error));
    });
  },
};

function headersOf(probe: HttpProbeRequest): Record<string, string[]> {
  const headers: Record<string, string[]> = { "User-Agent": ["ikada-probe"], Accept: ["*/*"], Connection: ["close"] };
  for (const { name } of probe.headers) {
    const known = Object.keys(headers).find((header) => header.toLowerCase() === name.toLowerCase());
    if (known !== undefined) delete headers[known];
  }
  for (const { name, value } of probe.headers) (headers[name] ??= []).push(value);
  return headers;
}

function once<A extends unknown[]>(run: (...values: A) => void): (...values: A) => void {
  let ran = false;
  return (...values) => {
    if (ran) return;
    ran = true;
    run(...values);
  };
}
