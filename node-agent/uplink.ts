import { randomUUID } from "node:crypto";
import type { NodeStatus } from "../src/api/kinds/core.js";
import type { Env } from "../src/base/env.js";
import { createClient, loadTlsFiles, type TlsFiles } from "../src/host/tls.js";
import type { Agent } from "./core/agent.js";
import { Uplink } from "./core/uplink.js";
import { openSession } from "./session.js";
import type { StreamSources } from "./stream-sources.js";

export interface GrpcUplinkOptions {
  readonly env: Pick<Env, "clock" | "timers" | "random" | "log">;
  readonly agent: Agent;
  readonly runtime: StreamSources["runtime"];
  readonly stats: StreamSources["stats"];
  readonly servers: readonly string[];
  readonly tls: TlsFiles;
  readonly node: string;
  readonly clusterId: string;
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly nodeStatus: () => NodeStatus;
}

/** The agent's uplink over gRPC: each session on a connection of its own, with the certificate that is on the disk by then. */
export class GrpcUplink {
  readonly #uplink: Uplink;

  constructor(options: GrpcUplinkOptions) {
    const { env, agent, runtime, stats, tls, node, clusterId, version, labels, nodeStatus } = options;
    const identity = { node, clusterId, version, bootId: randomUUID(), labels };
    this.#uplink = new Uplink({
      env,
      servers: options.servers,
      dial: (server, events) => {
        const material = loadTlsFiles(tls);
        const client = createClient(server, { authority: material.authority, identity: material });
        return openSession({ client, env, agent, runtime, stats, identity, nodeStatus, events });
      },
    });
    this.#uplink.start();
  }

  /** The server of the open session; "" when there is none. */
  get server(): string {
    return this.#uplink.server;
  }

  /** Opened since the start. */
  get sessions(): number {
    return this.#uplink.sessions;
  }

  reportNode(): void {
    this.#uplink.reportNode();
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#uplink.close(resolve));
  }
}
