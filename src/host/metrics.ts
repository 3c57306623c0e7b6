import { createServer } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import { collectDefaultMetrics, Registry } from "prom-client";
import { listenAt } from "./listening.js";
import type { TlsMaterial } from "./tls.js";

/** One registry per process; everything that counts takes it as an argument. */
export function createMetrics(labels: Readonly<Record<string, string>> = {}): Registry {
  const registry = new Registry();
  registry.setDefaultLabels(labels);
  // Memory, garbage collection, file descriptors, and the event loop's lag with its percentiles.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 10 });
  return registry;
}

export interface MetricsListenerOptions {
  readonly registry: Registry;
  /** `host:port`; port 0 takes any. */
  readonly address: string;
  readonly tls: TlsMaterial;
  /** Whose this bearer token is; every user may read. */
  readonly ownerOf: (token: string) => unknown;
}

export interface MetricsListener {
  readonly port: number;
  replaceTls(material: TlsMaterial): void;
  close(): Promise<void>;
}

/** Serves `GET /metrics` in Prometheus' text format over HTTPS, only with a token. @throws IkadaError Unavailable when the address can't be bound */
export async function serveMetrics(options: MetricsListenerOptions): Promise<MetricsListener> {
  const secure = (material: TlsMaterial) => ({
    cert: material.certificate,
    key: material.key,
    minVersion: "TLSv1.3" as const,
  });
  const server = createServer(
    { ...secure(options.tls), handshakeTimeout: 5_000, requestTimeout: 10_000, maxHeaderSize: 8 * 1024 },
    (request, response) => {
      answer(options, request, response).catch(() => response.destroy());
    },
  );
  server.maxConnections = 64;
  const port = await listenAt(server, options.address);
  return {
    port,
    replaceTls: (material) => server.setSecureContext(secure(material)),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  options: MetricsListenerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.setHeader("X-Content-Type-Options", "nosniff");
  response.setHeader("Cache-Control", "no-store");
  const [scheme, token] = (request.headers.authorization ?? "").split(" ");
  if (scheme?.toLowerCase() !== "bearer" || !token || options.ownerOf(token) === undefined) {
    response.setHeader("WWW-Authenticate", "Bearer");
    end(response, 401, "metrics need a bearer token\n");
  } else if (request.url !== "/metrics") end(response, 404, "only /metrics is here\n");
  else if (request.method !== "GET") end(response, 405, "only GET\n");
  else {
    const text = await options.registry.metrics();
    response.setHeader("Content-Type", options.registry.contentType);
    response.end(text);
  }
}

function end(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.setHeader("Content-Type", "text/plain; charset=utf-8");
  response.end(text);
}
