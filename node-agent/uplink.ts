import { randomUUID } from "node:crypto";
import type { NodeStatus } from "../src/api/kinds/core.js";
import type { Log, Random } from "../src/base/env.js";
import { IkadaError } from "../src/base/errors.js";
import { createClient, loadTlsFiles, type TlsFiles } from "../src/host/tls.js";
import type { Agent } from "./core/agent.js";
import { Session } from "./session.js";
import type { StreamSources } from "./stream-sources.js";

export interface UplinkOptions {
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
  readonly random: Random;
  readonly log: Log;
}

/** Pause after all servers were tried in vain, with full jitter, doubling. */
const pauseMsMin = 50;
const pauseMsMax = 2_000;
/** A session that ends sooner counts as a failure, so that one that every server ends at once does not spin. */
const sessionMsMin = 1_000;

/**
 * Keeps one session open with any of the servers. Stays with a server as long as it can; when a session ends the next server is tried at
 * once, and only after all of them failed there is a pause. Agents begin at different servers, so that they spread.
 */
export class Uplink {
  readonly #options: UplinkOptions;
  readonly #bootId = randomUUID();
  #servers: readonly string[];
  #session: Session | undefined;
  #wake: (() => void) | undefined;
  #closed = false;
  #lastError = "";
  readonly #done: Promise<void>;
  /** The server of the open session; "" when there is none. */
  server = "";
  sessions = 0;

  constructor(options: UplinkOptions) {
    this.#options = options;
    this.#servers = options.servers;
    this.#done = this.#run();
  }

  reportNode(): void {
    this.#session?.reportNode();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#session?.close();
    this.#wake?.();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { random, log } = this.#options;
    let at = random.int(this.#servers.length);
    let [failures, pauseMs] = [0, pauseMsMin];
    while (!this.#closed) {
      const server = this.#servers[at % this.#servers.length] as string;
      const begun = performance.now();
      const { welcomed, error } = await this.#attempt(server);
      if (this.#closed) return;
      if (welcomed && performance.now() - begun > sessionMsMin) {
        [failures, pauseMs] = [0, pauseMsMin];
        log.warn("session lost", { server, error: error?.message });
        this.#lastError = "";
      } else {
        failures += 1;
        const message = `${server}: ${error?.message ?? ""}`;
        if (message !== this.#lastError) log.warn("no session", { server, error: error?.message });
        this.#lastError = message;
      }
      at = (this.#servers.indexOf(server) + 1) % this.#servers.length;
      if (failures >= this.#servers.length) {
        failures = 0;
        await this.#pause(random.next() * pauseMs);
        pauseMs = Math.min(pauseMs * 2, pauseMsMax);
      }
    }
  }

  async #attempt(server: string): Promise<{ welcomed: boolean; error: IkadaError | undefined }> {
    const { agent, runtime, stats, tls, node, clusterId, version, labels, nodeStatus, log } = this.#options;
    let welcomed = false;
    let client: ReturnType<typeof createClient> | undefined;
    try {
      const material = loadTlsFiles(tls);
      client = createClient(server, { authority: material.authority, identity: material });
      const session = new Session({
        client,
        server,
        agent,
        runtime,
        stats,
        hello: { node, clusterId, version, bootId: this.#bootId, labels },
        nodeStatus,
        log,
        onWelcome: (servers) => {
          welcomed = true;
          this.server = server;
          this.sessions += 1;
          // The configured ones stay, should what a server tells ever be wrong for this network.
          this.#servers = [...new Set([...this.#options.servers, ...servers])];
          log.info("session open", { server });
        },
      });
      this.#session = session;
      const error = await session.ended;
      return { welcomed, error };
    } catch (caught) {
      return { welcomed, error: IkadaError.from(caught) };
    } finally {
      this.#session = undefined;
      this.server = "";
      client?.close();
    }
  }

  #pause(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, durationMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
