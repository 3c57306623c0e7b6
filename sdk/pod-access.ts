import type { Duplex } from "node:stream";
import type { ikada } from "#proto/api.js";
import { IkadaError } from "../src/base/errors.js";
import { apiMethods } from "../src/host/api-methods.js";
import type { Method } from "../src/host/grpc.js";
import type {
  AttachOptions,
  ContainerOptions,
  ContainerUsage,
  ExecOptions,
  NodeStats,
  NodeStatsOptions,
  PodOptions,
  PodStats,
  PodStatsOptions,
  Stats,
} from "./access-options.js";
import { streamTriesMax, type Calls } from "./calls.js";
import { Deadline, type CallOptions } from "./deadline.js";
import { InputQueue, type OpenCall } from "./input-queue.js";
import { endOfStream } from "./lost-server.js";
import { RemoteConnection } from "./remote-connection.js";
import { RemoteProcess } from "./remote-process.js";

const messageBytesMax = 64 * 1024;

/**
 * Ways into running Pods, through any server, whichever has the session of the Pod's node. A server that can't be reached is passed over; one that is lost
 * later ends what was open with Unavailable, since a command may not be run twice: ask again, and another server serves it.
 *
 * @example
 * const process = await client.access.exec("web-1", ["hostname"], { namespace: "default" });
 * for await (const { stream, data } of process) console.log(stream, new TextDecoder().decode(data));
 * console.log("exit code", await process.exitCode);
 */
export class PodAccess {
  readonly #calls: Calls;

  /** @internal */
  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /**
   * Runs a command in a running container, and resolves when it has begun. A command that can't be executed has an exit code of 126 or more.
   * @throws IkadaError NotFound, BadRequest when the container is not clear, Conflict when it does not run, Unavailable when its node is away
   */
  exec(pod: string, command: readonly string[], options: ExecOptions): Promise<RemoteProcess> {
    const open = { ...targetOf(pod, options), command: [...command], tty: options.tty ?? false };
    return this.#process(apiMethods.exec, open, options);
  }

  /**
   * Connects to the main process of a running container, for what it writes from now on.
   * @throws IkadaError NotFound, BadRequest when the container is not clear or has no input, Conflict when it does not run, Unavailable when its node is away
   */
  attach(pod: string, options: AttachOptions): Promise<RemoteProcess> {
    return this.#process(apiMethods.attach, targetOf(pod, options), options);
  }

  /**
   * Makes one TCP connection to a port of a Pod, at 127.0.0.1 inside it. The stream ends, and takes an end, as a socket does.
   * @throws IkadaError NotFound, Conflict when the Pod does not run, Unavailable when nothing listens there or its node is away
   */
  async connect(pod: string, port: number, options: PodOptions): Promise<Duplex> {
    const open = { namespace: options.namespace, pod, port };
    return new RemoteConnection(await this.#open(apiMethods.portForward, { open }, options, () => true));
  }

  /**
   * A tar of a file or folder in a container, as it comes. Its paths begin with the last part of `path`, and were made by the container: check them
   * before anything is written.
   * @throws IkadaError NotFound, BadRequest when the container is not clear, Unavailable when its node is away
   */
  async *readArchive(
    pod: string,
    path: string,
    options: ContainerOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { namespace, container = "" } = options;
    const deadline = new Deadline(options);
    const request = { namespace, pod, container, path };
    for await (const { data } of this.#calls.streamFromStart(apiMethods.readArchive, request, deadline)) yield data;
  }

  /**
   * Writes a tar of one file or one folder to a container: into `path` when that is a folder, else with that name. Resolves when all is written; when it
   * rejects, a part may be.
   * @throws IkadaError NotFound, BadRequest when the tar has other things in it, Unavailable when its node is away
   */
  async writeArchive(
    pod: string,
    path: string,
    archive: AsyncIterable<Uint8Array>,
    options: ContainerOptions,
  ): Promise<void> {
    const { namespace, container = "" } = options;
    const deadline = new Deadline(options);
    for (let tries = 1; ; tries += 1) {
      let sent = false;
      const request = { open: { namespace, pod, container, path } };
      const onSent = (): void => {
        sent = true;
      };
      const call = { request, input: pieces(archive), onSent };
      const { address, messages } = this.#calls.duplex(apiMethods.writeArchive, call, deadline, tries);
      try {
        const { done } = await messages.next();
        if (done) throw new IkadaError("Unavailable", "the server did not say that all was written");
        return;
      } catch (caught) {
        if (sent) throw endOfStream(caught);
        if (tries >= streamTriesMax) throw caught;
        await this.#calls.next(IkadaError.from(caught), address, tries, deadline);
      } finally {
        await messages.return();
      }
    }
  }

  /** What Pods use, as their nodes measured it last. @throws IkadaError NotFound for a name that is not there, BadRequest */
  async podStats(options: PodStatsOptions = {}): Promise<Stats<PodStats>> {
    const { namespace = "", name = "", labelSelector = "" } = options;
    const answer = await this.#calls.unary(apiMethods.podStats, { namespace, name, labelSelector }, options);
    const items = answer.pods.map((pod) => ({
      namespace: pod.namespace ?? "",
      name: pod.name ?? "",
      node: pod.node ?? "",
      time: new Date(pod.timeMs ?? 0),
      containers: (pod.containers ?? []).map(usageFromWire),
    }));
    items.sort((left, right) => compare(left.namespace, right.namespace) || compare(left.name, right.name));
    return { items, unreached: answer.unreached.map(unreachedFromWire) };
  }

  /** What Nodes use, as they measured it last. @throws IkadaError NotFound for a name that is not there */
  async nodeStats(options: NodeStatsOptions = {}): Promise<Stats<NodeStats>> {
    const answer = await this.#calls.unary(apiMethods.nodeStats, { name: options.name ?? "" }, options);
    const items = answer.nodes.map((node) => ({
      name: node.name ?? "",
      cpuCores: node.cpuCores ?? undefined,
      cpuCapacity: node.cpuCapacity ?? 0,
      memoryBytes: node.memoryBytes ?? 0,
      memoryCapacity: node.memoryCapacity ?? 0,
      time: new Date(node.timeMs ?? 0),
    }));
    return { items, unreached: answer.unreached.map(unreachedFromWire) };
  }

  async #process(
    method: typeof apiMethods.exec,
    open: ikada.api.v1.IExecRequest,
    options: CallOptions,
  ): Promise<RemoteProcess> {
    const begins = ({ started }: ikada.api.v1.IExecOutput): boolean => Boolean(started);
    return new RemoteProcess(await this.#open(method, { open }, options, begins));
  }

  /** Asks one server after the other until one has taken the call; resolves with its first answer. */
  async #open<RequestInput extends object, Request, ResponseInput, Response extends object>(
    method: Method<RequestInput, Request, ResponseInput, Response>,
    request: NoInfer<RequestInput>,
    options: CallOptions,
    begins: (first: Response) => boolean,
  ): Promise<OpenCall<RequestInput, Response>> {
    const { signal, cancel } = cancellable(options.signal);
    const deadline = new Deadline({ ...options, signal });
    for (let tries = 1; ; tries += 1) {
      let sent = false;
      const onSent = (): void => {
        sent = true;
      };
      const input = new InputQueue<RequestInput>();
      const { address, messages } = this.#calls.duplex(method, { request, input, onSent }, deadline, tries);
      try {
        const first = await messages.next();
        if (first.done || !begins(first.value)) {
          throw new IkadaError("Unavailable", "the server ended the call before it had begun", { hint: "ask again" });
        }
        return { messages, input, cancel };
      } catch (caught) {
        const error = IkadaError.from(caught);
        input.close(error);
        await messages.return();
        // What was asked for once may have begun.
        if (sent || tries >= streamTriesMax) {
          cancel();
          throw error;
        }
        await this.#calls.next(error, address, tries, deadline);
      }
    }
  }
}

/** A signal that the caller's own and `cancel` abort; `cancel` lets go of the caller's. */
function cancellable(outer: AbortSignal | undefined): { signal: AbortSignal; cancel: () => void } {
  const controller = new AbortController();
  const cancel = (): void => {
    outer?.removeEventListener("abort", cancel);
    controller.abort();
  };
  outer?.addEventListener("abort", cancel, { once: true });
  if (outer?.aborted) cancel();
  return { signal: controller.signal, cancel };
}

function targetOf(pod: string, options: AttachOptions): ikada.api.v1.IExecRequest {
  const { namespace, container = "", stdin = false, size } = options;
  return { namespace, pod, container, stdin, size: size ? { ...size } : null };
}

async function* pieces(archive: AsyncIterable<Uint8Array>): AsyncGenerator<ikada.api.v1.IWriteArchiveInput> {
  for await (const chunk of archive)
    for (let at = 0; at < chunk.length; at += messageBytesMax) yield { data: chunk.subarray(at, at + messageBytesMax) };
  yield { end: true };
}

function usageFromWire(usage: ikada.api.v1.IContainerUsage): ContainerUsage {
  return { name: usage.name ?? "", cpuCores: usage.cpuCores ?? undefined, memoryBytes: usage.memoryBytes ?? 0 };
}

function unreachedFromWire({ node, message }: ikada.api.v1.IUnreachedNode): { node: string; message: string } {
  return { node: node ?? "", message: message ?? "" };
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
