import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { ikada } from "#proto/agent.js";
import type { Pod, PodStatus } from "../../src/api/kinds/pod.js";
import { IkadaError } from "../../src/base/errors.js";
import { agentMethods } from "../../src/host/agent-methods.js";
import { bind, readMessages, serveBidi, shutDown } from "../../src/host/grpc.js";
import { createAuthority, issueCertificate, type Authority } from "../../src/host/pki.js";
import { ServerTls } from "../../src/host/tls.js";

type SessionCall = grpc.ServerDuplexStream<ikada.agent.v1.AgentMessage, ikada.agent.v1.IServerMessage>;

/** The authority of a test cluster, and one node's files. */
export class TestIdentity {
  readonly authority: Authority;
  readonly folder: string;

  private constructor(authority: Authority, folder: string) {
    this.authority = authority;
    this.folder = folder;
  }

  static async create(node: string): Promise<TestIdentity> {
    const authority = await createAuthority("test");
    const folder = mkdtempSync(join(tmpdir(), "ikada-agent-"));
    const identity = await issueCertificate(authority, { role: "node", name: node, addresses: [], days: 1 });
    writeFileSync(join(folder, "ca.pem"), authority.certificate);
    writeFileSync(join(folder, "node.pem"), identity.certificate);
    writeFileSync(join(folder, "node.key"), identity.key, { mode: 0o600 });
    return new TestIdentity(authority, folder);
  }

  get files(): { authority: string; certificate: string; key: string } {
    const { folder } = this;
    return { authority: join(folder, "ca.pem"), certificate: join(folder, "node.pem"), key: join(folder, "node.key") };
  }
}

/** The agents' side of a server, as a test plays it. Assignments are shared by all servers of one test. */
export class TestServer {
  readonly #server = new grpc.Server();
  address = "";
  readonly hellos: ikada.agent.v1.Hello[] = [];
  readonly #waitingStreams = new Map<string, (frames: ikada.agent.v1.StreamFrame[]) => void>();
  /** What goes into streams once they have begun. */
  readonly #inputs = new Map<string, readonly ikada.agent.v1.IStreamFrame[]>();
  #session: SessionCall | undefined;
  #dead = false;
  heartbeats = 0;
  nodeStatus: Record<string, unknown> | undefined;
  readonly statuses = new Map<string, PodStatus>();
  readonly gone = new Set<string>();
  readonly plan: TestPlan;

  private constructor(plan: TestPlan) {
    this.plan = plan;
  }

  static async start(identity: TestIdentity, plan: TestPlan): Promise<TestServer> {
    const self = new TestServer(plan);
    const request = { role: "server" as const, name: "server-1", addresses: ["127.0.0.1"], days: 1 };
    const own = await issueCertificate(identity.authority, request);
    serveBidi(self.#server, agentMethods.session, (call, context) => self.#serve(call, context.signal));
    serveBidi(self.#server, agentMethods.podStream, (call, context) => self.#podStream(call, context.signal));
    const tls = new ServerTls({ ...own, authority: identity.authority.certificate }, "required");
    self.address = `127.0.0.1:${await bind(self.#server, "127.0.0.1:0", tls)}`;
    return self;
  }

  get connected(): boolean {
    return this.#session !== undefined;
  }

  /** As kill -9 of the server; the library may still take a connection that is being made. */
  kill(): void {
    this.#dead = true;
    void shutDown(this.#server, 0);
  }

  /** Tells the change of the plan since the last message. */
  tell(change: { readonly pods?: readonly Pod[]; readonly removedUids?: readonly string[] }): void {
    const appliesTo = this.plan.revision;
    this.plan.change(change);
    const { Type } = ikada.agent.v1.Assignments;
    const pods = (change.pods ?? []).map(encodePod);
    const removedUids = [...(change.removedUids ?? [])];
    const { term, revision: resultsIn } = this.plan;
    this.#session?.write({ assignments: { type: Type.INCREMENT, term, appliesTo, resultsIn, pods, removedUids } });
  }

  /** Text of a container's log. */
  async logs(request: ikada.agent.v1.ILogStream): Promise<string> {
    const frames = await this.stream({ logs: request });
    const error = frames.at(-1)?.error ?? "";
    if (error !== "") throw new Error(error);
    return frames.map(({ data }) => new TextDecoder().decode(data)).join("");
  }

  /** All frames of a stream, which is given `input` once it has begun. */
  stream(
    open: ikada.agent.v1.IOpenStream,
    input: readonly ikada.agent.v1.IStreamFrame[] = [],
  ): Promise<ikada.agent.v1.StreamFrame[]> {
    const streamId = open.streamId ?? `stream-${Math.random()}`;
    this.#inputs.set(streamId, input);
    return new Promise((resolve) => {
      this.#waitingStreams.set(streamId, resolve);
      this.#session?.write({ open: { ...open, streamId } });
    });
  }

  /** Says in the session that nobody reads this stream any more. */
  closeStream(streamId: string): void {
    this.#session?.write({ close: { streamId } });
  }

  async #serve(call: SessionCall, signal: AbortSignal): Promise<void> {
    const { Type } = ikada.agent.v1.Assignments;
    if (this.#dead) throw new IkadaError("Unavailable", "this server is dead");
    try {
      for await (const message of readMessages(call, signal)) {
        if (message.hello) {
          this.hellos.push(message.hello as ikada.agent.v1.Hello);
          this.#session = call;
          const { clusterId, servers, term, revision, pods } = this.plan;
          call.write({ welcome: { clusterId, nodeUid: "node-uid", heartbeatMs: 100, servers } });
          const all = [...pods.values()].map(encodePod);
          call.write({ assignments: { type: Type.COMPLETE, term, resultsIn: revision, pods: all } });
        } else if (message.heartbeat) {
          this.heartbeats += 1;
          call.write({ heartbeat: { sequence: this.heartbeats } });
        } else if (message.node) {
          this.nodeStatus = JSON.parse(new TextDecoder().decode(message.node.statusJson ?? new Uint8Array())) as never;
        } else if (message.pods) {
          for (const report of message.pods.reports ?? []) {
            const uid = report.uid ?? "";
            this.statuses.set(
              uid,
              JSON.parse(new TextDecoder().decode(report.statusJson ?? new Uint8Array())) as never,
            );
            if (report.gone) this.gone.add(uid);
          }
          call.write({ accepted: { sequence: message.pods.sequence ?? 0 } });
        }
      }
    } finally {
      if (this.#session === call) this.#session = undefined;
    }
  }

  async #podStream(
    call: grpc.ServerDuplexStream<ikada.agent.v1.StreamFrame, ikada.agent.v1.IStreamFrame>,
    signal: AbortSignal,
  ): Promise<void> {
    const frames: ikada.agent.v1.StreamFrame[] = [];
    for await (const frame of readMessages(call, signal)) {
      frames.push(frame);
      if (frame.opened) for (const input of this.#inputs.get(frames[0]?.streamId ?? "") ?? []) call.write(input);
    }
    const finish = this.#waitingStreams.get(frames[0]?.streamId ?? "");
    if (finish === undefined) throw new IkadaError("NotFound", "nobody waits for this stream");
    finish(frames);
  }
}

/** What the node is to run. */
export class TestPlan {
  readonly clusterId: string;
  servers: string[] = [];
  term = 3;
  revision = 10;
  readonly pods = new Map<string, Pod>();

  constructor(clusterId: string) {
    this.clusterId = clusterId;
  }

  change(change: { readonly pods?: readonly Pod[]; readonly removedUids?: readonly string[] }): void {
    this.revision += 1;
    for (const pod of change.pods ?? []) this.pods.set(pod.metadata.uid ?? "", pod);
    for (const uid of change.removedUids ?? []) this.pods.delete(uid);
  }
}

function encodePod(pod: Pod): ikada.agent.v1.IAssignedPod {
  return { uid: pod.metadata.uid ?? "", revision: 1, json: new TextEncoder().encode(JSON.stringify(pod)) };
}
