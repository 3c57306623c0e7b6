import { ikada } from "#proto/agent.js";
import type { Env } from "../../../src/base/env.js";
import { IkadaError } from "../../../src/base/errors.js";
import { allControllers } from "../../../src/controllers/catalog.js";
import { RevokedLeases } from "../../../src/controllers/revoked-leases.js";
import { Runner } from "../../../src/controllers/runner.js";
import { defaultControllerSettings } from "../../../src/controllers/settings.js";
import { Leadership } from "../../../src/leadership.js";
import { ObjectCache } from "../../../src/objects/cache.js";
import { objectStoreOf } from "../../../src/objects/object-store.js";
import { Scheduler } from "../../../src/scheduler/scheduler.js";
import type { AgentServices } from "../../../src/server/agents/agent-services.js";
import { LivenessTable, type NodeLiveness } from "../../../src/server/agents/liveness-table.js";
import type { NodeSession } from "../../../src/server/agents/node-session.js";
import { checkHello, NodeSessions } from "../../../src/server/agents/node-sessions.js";
import { PodNetworkPlan } from "../../../src/server/agents/pod-network-plan.js";
import { ReportFolder } from "../../../src/server/agents/report-folder.js";
import type { Replica } from "../../../store/replica.js";
import type { ConsensusStatus } from "../../../raft/consensus.js";
import type { ConnectionEnd } from "./connections.js";

export interface ServerSiteOptions {
  readonly id: number;
  readonly env: Env;
  readonly store: Replica;
  /** Addresses of all servers. */
  readonly servers: readonly string[];
  readonly tell: (nodes: readonly NodeLiveness[]) => void;
  /** Sees each message to a node, and what this server knew by then. */
  readonly observe: (node: string, message: ikada.agent.v1.IServerMessage) => void;
}

export const clusterId = "simulation";
const helloMs = 10_000;
/** As src/server/replicas/replica-links.ts: every replica says so often what it knows, and soon after a change. */
const shareMs = 1_000;
const gatherMs = 10;

/**
 * What one server process runs beside consensus and store, wired as src/main.ts and src/server/server.ts wire it: object cache, sessions of agents,
 * reports, liveness, and the leader's scope.
 */
export class ServerSite {
  readonly cache: ObjectCache;
  readonly liveness: LivenessTable;
  readonly #options: ServerSiteOptions;
  readonly #sessions: NodeSessions;
  readonly #leadership: Leadership;
  #gathering = false;

  constructor(options: ServerSiteOptions) {
    const { id, env, store, servers } = options;
    const { clock, timers, random, log } = env;
    this.#options = options;
    this.cache = new ObjectCache(store, log);
    const revokedLeases = new RevokedLeases(this.cache, clock);
    this.liveness = new LivenessTable(clock, id);
    const services: AgentServices = {
      clusterId,
      store,
      cache: this.cache,
      replica: { status: () => statusOf(id, store) },
      liveness: this.liveness,
      folder: new ReportFolder(store, timers, log),
      network: new PodNetworkPlan("10.244.0.0/16"),
      clock,
      timers,
      random,
      log,
      heartbeatMs: 1_000,
      servers,
    };
    this.#sessions = new NodeSessions(services);
    this.#leadership = new Leadership({
      timers,
      log,
      barrier: (done) => store.barrierThen((error) => done(error)),
      open: (leading) => {
        leading.use(
          new Runner({
            env,
            objects: objectStoreOf(this.cache, (request, done) => store.writeThen(request, done)),
            controllers: allControllers(defaultControllerSettings),
            passes: [new Scheduler()],
            nodeSilentMs: (node) => this.liveness.nodeSilentMs(node),
            leaseRevokedForMs: (uid) => revokedLeases.revokedForMs(uid),
          }),
        );
      },
    });
    const status = store.status();
    if (status) this.#leadership.observe(status);
    this.liveness.onChange(() => this.#shareSoon());
    this.#shareLater();
  }

  onStatus(status: ConsensusStatus): void {
    this.#leadership.observe(status);
  }

  /** An agent has dialled; `node` is the name in its certificate. */
  accept(node: string, end: ConnectionEnd): void {
    const { env, observe } = this.#options;
    const messages: ikada.agent.v1.AgentMessage[] = [];
    let session: NodeSession | undefined;
    let bootId = "";
    let [isTaking, isOver, hasBegun] = [false, false, false];
    const over = (error?: IkadaError): void => {
      if (isOver) return;
      isOver = true;
      late.cancel();
      env.log.info("agent's session ended", { node, bootId, error: error?.message ?? "" });
      if (session) this.#sessions.close(session, bootId);
      end.close();
    };
    const late = env.timers.after(helloMs, () => {
      if (!hasBegun) over(new IkadaError("Deadline", "no hello"));
    });
    const takeNext = (): void => {
      const next = isTaking || isOver ? undefined : messages.shift();
      if (next === undefined) return;
      isTaking = true;
      guarded(() => {
        if (session) session.take(next, ready);
        else begin(next);
      });
    };
    const ready = (): void => {
      isTaking = false;
      takeNext();
    };
    const guarded = (run: () => void): void => {
      try {
        run();
      } catch (caught) {
        if (!(caught instanceof IkadaError)) throw caught;
        over(caught);
      }
    };
    const begin = (first: ikada.agent.v1.AgentMessage): void => {
      hasBegun = true;
      const hello = checkHello(first, node);
      ({ bootId } = hello);
      this.#sessions.admit(node, hello, { deadlineMs: helloMs }, (error, admission) => {
        if (isOver) return;
        if (error) {
          over(IkadaError.from(error));
          return;
        }
        session = this.#sessions.open(node, bootId, admission, {
          send: (message) => {
            if (isOver) return true;
            observe(node, message);
            return end.send(ikada.agent.v1.ServerMessage.encode(message).finish());
          },
          get isFull() {
            return end.isFull;
          },
          onEnd: (why) => over(why),
        });
        ready();
      });
    };
    end.onMessage = (bytes) => {
      messages.push(ikada.agent.v1.AgentMessage.decode(bytes));
      takeNext();
    };
    end.onDrain = () => session?.resume();
    end.onClose = () => over();
  }

  #shareSoon(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    this.#options.env.timers.after(gatherMs, () => {
      this.#gathering = false;
      this.#options.tell(this.liveness.local());
    });
  }

  #shareLater(): void {
    this.#options.env.timers.after(shareMs, () => {
      this.#options.tell(this.liveness.local());
      this.#shareLater();
    });
  }
}

function statusOf(id: number, store: Replica): ReturnType<AgentServices["replica"]["status"]> {
  const { role, term, leader, commit, lastIndex } = store.status() ?? starting;
  return {
    id,
    role,
    term,
    leader,
    commit,
    applied: store.appliedIndex(),
    lastIndex,
    revision: store.revision(),
    compactRevision: store.compactRevision(),
    ...store.usage(),
    digests: [],
    voters: [],
    learners: [],
    progress: [],
  };
}

const starting = { role: "Follower", term: 0, leader: 0, commit: 0, lastIndex: 0 } as const;
