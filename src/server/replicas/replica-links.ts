import { connectivityState, type Client } from "@grpc/grpc-js";
import type { ikada } from "#proto/agent.js";
import { ikada as api } from "#proto/api.js";
import type { Log } from "../../base/env.js";
import { replicaMethods } from "../../host/agent-methods.js";
import { callBidi, callUnary, readStream, writeMessage } from "../../host/grpc.js";
import { errorFromStatus } from "../../host/grpc-errors.js";
import { IkadaError } from "../../base/errors.js";
import type { LivenessTable } from "../agents/liveness-table.js";
import type { AddressBook } from "../members/address-book.js";
import type { StateDigest } from "../replica-status.js";
import type { FrameSource, StreamRequest } from "../agents/pod-streams.js";

export interface ReplicaLinksOptions {
  readonly self: number;
  readonly members: AddressBook;
  readonly dial: (address: string) => Client;
  readonly liveness: LivenessTable;
  readonly log: Log;
}

/** Every replica says so often what it knows, even when nothing changed. */
const shareMs = 1_000;
/** Changes of one moment (a replica died and its agents come) go together. */
const gatherMs = 10;
const reopenMs = 300;
/** Longer than a channel pauses between two dials. */
const connectMsMax = 3_000;

/** This replica's calls to the others in the main process: liveness always, pod streams and status when asked. */
export class ReplicaLinks {
  readonly #options: ReplicaLinksOptions;
  readonly #links = new Map<number, ReplicaLink>();
  readonly #changes: { close(): void };
  readonly #memberChanges: { close(): void };
  readonly #timer: NodeJS.Timeout;
  #gathering: NodeJS.Timeout | undefined;

  constructor(options: ReplicaLinksOptions) {
    this.#options = options;
    this.#connectAll();
    this.#memberChanges = options.members.onChange(() => this.#connectAll());
    this.#changes = options.liveness.onChange(() => {
      this.#gathering ??= setTimeout(() => this.#share(), gatherMs);
    });
    this.#timer = setInterval(() => this.#share(), shareMs);
  }

  /** @throws IkadaError Unavailable, Deadline */
  async status(replica: number, deadlineMs: number): Promise<ikada.agent.v1.ReplicaStatusResponse> {
    return await callUnary(this.#client(replica), replicaMethods.status, {}, { deadlineMs });
  }

  /** Of the replicas that answer: their state at some applied indexes. */
  async digests(deadlineMs: number): Promise<readonly (readonly [id: number, digests: readonly StateDigest[]])[]> {
    const asked = [...this.#links.keys()].map(async (id) => {
      try {
        const { digests } = await this.status(id, deadlineMs);
        return [id, digests.map(({ index, digest }) => ({ index: index ?? 0, digest: digest ?? "" }))] as const;
      } catch (caught) {
        if (!(caught instanceof IkadaError)) throw caught;
        return undefined;
      }
    });
    return (await Promise.all(asked)).filter((answer) => answer !== undefined);
  }

  /** To the leader, from a replica that was asked in its place. @throws IkadaError */
  async changeMembers(
    leader: number,
    request: api.api.v1.IChangeMembersRequest,
    deadlineMs: number,
  ): Promise<api.api.v1.IChangeMembersResponse> {
    const bytes = api.api.v1.ChangeMembersRequest.encode(request).finish();
    const client = this.#client(leader);
    await connected(client);
    return await callUnary(client, replicaMethods.changeMembers, { request: bytes }, { deadlineMs });
  }

  /** Asks the leader about a lease. @throws IkadaError */
  async lease(leader: number, id: number, renew: boolean, deadlineMs: number): Promise<number | undefined> {
    const client = this.#client(leader);
    await connected(client);
    const { seconds } = await callUnary(client, replicaMethods.lease, { id, renew }, { deadlineMs });
    return seconds ?? undefined;
  }

  /** Whether a call to this replica would go out now; when not, a connection is being made. */
  isReady(replica: number): boolean {
    return this.#client(replica).getChannel().getConnectivityState(true) === connectivityState.READY;
  }

  /** Frames of a stream from a node whose session `replica` has; it is given those of `input`. @throws IkadaError also what `input` throws */
  async *podStream(
    replica: number,
    node: string,
    open: StreamRequest,
    signal: AbortSignal,
    input?: FrameSource,
  ): FrameSource {
    const client = this.#client(replica);
    await connected(client);
    const over = new AbortController();
    const end = (): void => over.abort();
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    let fault: IkadaError | undefined;
    const call = callBidi(client, replicaMethods.podStream, { signal: over.signal });
    const pass = async (): Promise<void> => {
      try {
        await writeMessage(call, { node, open }, over.signal);
        for await (const frame of input ?? []) await writeMessage(call, { frame }, over.signal);
      } catch (caught) {
        // After the end of the call nobody asks for what became of the input.
        if (over.signal.aborted) return;
        fault = IkadaError.from(caught);
        end();
      }
    };
    void pass();
    try {
      yield* readStream(call);
    } catch (caught) {
      if (fault) throw fault;
      // Not by this side: a replica that is shutting down cancels the calls it still has.
      if (IkadaError.from(caught).reason !== "Cancelled" || over.signal.aborted) throw caught;
      throw new IkadaError("Unavailable", `replica ${replica} has ended the stream`, {}, caught);
    } finally {
      signal.removeEventListener("abort", end);
      end();
    }
  }

  close(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#gathering);
    this.#changes.close();
    this.#memberChanges.close();
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }

  #connectAll(): void {
    const { self, members, dial, liveness } = this.#options;
    const wanted = new Map(members.members.map((member) => [member.id, member.replicas]));
    wanted.delete(self);
    for (const [id, link] of this.#links) {
      if (wanted.get(id) === link.address) continue;
      link.close();
      this.#links.delete(id);
      if (!wanted.has(id)) liveness.lost(id);
    }
    for (const [id, address] of wanted)
      if (!this.#links.has(id)) this.#links.set(id, new ReplicaLink(id, address, dial(address), this.#options));
  }

  #share(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    const nodes = [...this.#options.liveness.local()];
    for (const link of this.#links.values()) link.send({ replica: this.#options.self, nodes });
  }

  #client(replica: number): Client {
    const link = this.#links.get(replica);
    if (link) return link.client;
    throw new IkadaError("NotFound", `there is no other replica ${replica}`);
  }
}

/**
 * A channel that was refused pauses before it dials again, and refuses calls meanwhile, though the replica may be
 * there by now: it has just said that it has the session.
 */
function connected(client: Client): Promise<void> {
  return new Promise((resolve, reject) => {
    client.waitForReady(Date.now() + connectMsMax, (error) => {
      if (error)
        reject(
          new IkadaError("Unavailable", `no connection to the replica that can do this: ${error.message}`, {}, error),
        );
      else resolve();
    });
  });
}

/** The channel to one replica, and the long-lived stream of liveness on it, which is opened again when it breaks. */
class ReplicaLink {
  readonly client: Client;
  readonly address: string;
  readonly #id: number;
  readonly #options: ReplicaLinksOptions;
  #call: ReturnType<typeof open> | undefined;
  #reopen: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(id: number, address: string, client: Client, options: ReplicaLinksOptions) {
    this.#id = id;
    this.address = address;
    this.client = client;
    this.#options = options;
    this.#open();
  }

  /** What does not fit is not queued: the next message says all again. */
  send(liveness: ikada.agent.v1.ILiveness): void {
    if (this.#call && !this.#call.writableNeedDrain) this.#call.write(liveness);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#reopen);
    this.#call?.cancel();
    this.client.close();
  }

  #open(): void {
    const call = open(this.client);
    this.#call = call;
    call.on("data", () => undefined);
    const lost = (why: string): void => {
      if (this.#call !== call) return;
      this.#call = undefined;
      if (this.#closed) return;
      this.#options.log.debug("liveness link to a replica broke", { replica: this.#id, error: why });
      this.#reopen = setTimeout(() => this.#open(), reopenMs);
    };
    call.on("error", (error) => lost(errorFromStatus(error).message));
    call.on("end", () => {
      call.end();
      lost("the other side ended it");
    });
    this.send({ replica: this.#options.self, nodes: [...this.#options.liveness.local()] });
  }
}

function open(client: Client): ReturnType<typeof callBidi<ikada.agent.v1.ILiveness, unknown, unknown, unknown>> {
  return callBidi(client, replicaMethods.shareLiveness);
}
