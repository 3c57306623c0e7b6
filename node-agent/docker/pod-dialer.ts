import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import type { Log } from "../../src/base/env.js";
import { IkadaError } from "../../src/base/errors.js";
import { engineDeadlines, type Engine } from "./engine.js";
import { isInContainer } from "./exec-stream.js";

const dialMsMax = 10_000;
/** From the start of a helper to its first word. */
const startMsMax = 10_000;
/** A helper that nobody has used for so long ends. */
const idleMs = 60_000;
/** Pods that have one at once; each is a process of about 45 MB. */
const helpersMax = 16;

const childFile = fileURLToPath(new URL("dialer-child.js", import.meta.url));

/**
 * Makes connections inside of Pods' network namespaces, where servers that listen on 127.0.0.1 are reached, as `kubectl port-forward` does. A Pod
 * that is dialled gets a helper: this program's own Node, run by util-linux' `nsenter` in the namespace, which hands the sockets over. Where that
 * can't be (no nsenter, no root, another process namespace than the engine's) the Pod's address is dialled, which reaches servers that listen on it.
 */
export class PodDialer {
  readonly #engine: Engine;
  readonly #log: Log;
  /** By sandbox, the one used last at the end. */
  readonly #helpers = new Map<string, Helper>();
  #warned = false;

  constructor(engine: Engine, log: Log) {
    this.#engine = engine;
    this.#log = log;
  }

  /** @throws IkadaError Unavailable when nothing listens there, NotFound, Conflict when the sandbox does not run */
  async dial(sandboxId: string, port: number): Promise<Socket> {
    const what = `connect to port ${port}`;
    const { State, NetworkSettings } = await this.#engine.call(what, engineDeadlines.readMs, (abortSignal) =>
      this.#engine.docker.getContainer(sandboxId).inspect({ abortSignal }),
    );
    if (!State.Running) {
      // Its helper, too, keeps the namespace alive.
      this.#helpers.get(sandboxId)?.close();
      throw new IkadaError("Conflict", `docker: ${what}: the sandbox is not running`);
    }
    const helper = await this.#helperOf(sandboxId, State.Pid);
    if (helper) return await helper.dial(port);
    const address = Object.values(NetworkSettings.Networks)[0]?.IPAddress;
    if (!address)
      throw new IkadaError("Unavailable", "the Pod's network namespace can't be entered, and it has no address");
    return await dialAddress(address, port);
  }

  /** Undefined when the namespace can't be entered. */
  async #helperOf(sandboxId: string, pid: number): Promise<Helper | undefined> {
    let helper = this.#helpers.get(sandboxId);
    if (!helper?.usable) {
      helper = enter(sandboxId, pid);
      if (!helper) return this.#cannotEnter("the sandbox's process is not to be seen from here");
      helper.onEnd = () => {
        if (this.#helpers.get(sandboxId) === helper) this.#helpers.delete(sandboxId);
      };
      for (const [id, oldest] of this.#helpers) {
        if (this.#helpers.size < helpersMax) break;
        this.#helpers.delete(id);
        oldest.close();
      }
    }
    this.#use(sandboxId, helper);
    const failure = await helper.ready;
    return failure === undefined ? helper : this.#cannotEnter(failure);
  }

  #use(sandboxId: string, helper: Helper): void {
    this.#helpers.delete(sandboxId);
    this.#helpers.set(sandboxId, helper);
  }

  #cannotEnter(why: string): undefined {
    if (!this.#warned)
      this.#log.warn("Pods' network namespaces can't be entered: port-forward dials their addresses", { why });
    this.#warned = true;
  }
}

/**
 * The namespace is opened before it is checked whose it is: numbers of processes are used again, what is open stays what it was. Undefined when
 * the process is not the sandbox's.
 */
function enter(sandboxId: string, pid: number): Helper | undefined {
  let namespace: number;
  try {
    namespace = openSync(`/proc/${pid}/ns/net`, "r");
  } catch {
    return undefined;
  }
  try {
    if (!isInContainer(pid, sandboxId)) return undefined;
    const args = ["--net=/proc/self/fd/4", process.execPath, childFile];
    const stdio = ["ignore", "ignore", "ignore", "ipc", namespace] as const;
    return new Helper(
      spawn("nsenter", args, { stdio: [...stdio], env: { PATH: process.env["PATH"] }, serialization: "json" }),
    );
  } finally {
    closeSync(namespace);
  }
}

interface Answer {
  readonly ready?: boolean;
  readonly id?: number;
  readonly error?: string;
}

class Helper {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<
    number,
    { readonly resolve: (socket: Socket) => void; readonly reject: (error: Error) => void }
  >();
  /** Why it does not work; undefined when it does. */
  readonly ready: Promise<string | undefined>;
  usable = true;
  onEnd: () => void = () => undefined;
  #count = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor(child: ChildProcess) {
    this.#child = child;
    // It ends with this process, and keeps it from ending no more than a socket would.
    child.unref();
    child.channel?.unref();
    let settle: (failure: string | undefined) => void = () => undefined;
    this.ready = new Promise((resolve) => {
      settle = resolve;
    });
    const late = setTimeout(() => this.#end(`it did not start within ${startMsMax} ms`), startMsMax);
    child.on("message", (message, handle) => {
      const answer = message as Answer;
      const socket = handle as Socket | undefined;
      if (answer.ready) {
        clearTimeout(late);
        settle(undefined);
      } else this.#take(answer, socket);
    });
    child.on("error", (error) => this.#end(error.message));
    child.on("exit", (code, signal) => this.#end(`it ended with ${signal ?? code}`));
    this.#onFailure = (failure) => {
      clearTimeout(late);
      settle(failure);
    };
    this.#rest();
  }

  readonly #onFailure: (failure: string) => void;

  dial(port: number): Promise<Socket> {
    this.#rest();
    this.#count += 1;
    const id = this.#count;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, port, timeoutMs: dialMsMax }, (error) => {
        if (error) this.#end(error.message);
      });
    });
  }

  close(): void {
    this.#end("it was ended");
  }

  #take({ id = 0, error }: Answer, socket: Socket | undefined): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (waiting === undefined) socket?.destroy();
    else if (socket) waiting.resolve(socket);
    else waiting.reject(refused(error ?? "the connection was lost"));
  }

  #rest(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => (this.#waiting.size === 0 ? this.close() : this.#rest()), idleMs);
    this.#idle.unref();
  }

  #end(why: string): void {
    if (!this.usable) return;
    this.usable = false;
    clearTimeout(this.#idle);
    this.#onFailure(why);
    for (const { reject } of this.#waiting.values()) {
      reject(new IkadaError("Unavailable", `the connection was not made: the helper in the Pod's network: ${why}`));
    }
    this.#waiting.clear();
    this.#child.kill("SIGKILL");
    this.onEnd();
  }
}

function dialAddress(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${dialMsMax} ms`)), dialMsMax);
    socket.pause();
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.removeAllListeners("error");
      resolve(socket);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      reject(refused(error.code === "ECONNREFUSED" ? "nothing listens on it" : error.message));
    });
  });
}

function refused(why: string): IkadaError {
  const hint = "look at what the Pod's programs listen on, and at their logs";
  return new IkadaError("Unavailable", `the port was not reached inside the Pod: ${why}`, { hint });
}
