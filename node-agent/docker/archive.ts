import { request as httpRequest, type ClientRequest, type IncomingMessage } from "node:http";
import { posix } from "node:path";
import { IkadaError } from "../../src/base/errors.js";
import type { ArchiveRequest, ContainerStream, StreamSink } from "../core/access.js";
import { ArchiveFilter } from "./archive-filter.js";
import { engineDeadlines, type Engine } from "./engine.js";
import { refusal } from "./hijack.js";

/** Links that a path may lead through before it counts as a circle. */
const linksMax = 8;
const noInput = { write: () => true, end: () => undefined, resize: () => undefined } as const;

/** The engine's tar of a path, as it comes. It takes files from images that have no tar, and from containers that have ended. */
export function readArchive(
  engine: Engine,
  allowed: Promise<unknown>,
  request: ArchiveRequest,
  sink: StreamSink,
): ContainerStream {
  const what = `copy from ${request.containerId.slice(0, 12)}`;
  let closed = false;
  let stream: IncomingMessage | undefined;
  const end = (error: Error | null): void => {
    if (closed) return;
    closed = true;
    sink.onResume = undefined;
    stream?.destroy();
    sink.onEnd(error);
  };
  const open = async (): Promise<void> => {
    await allowed;
    const { path } = await placeOf(engine, request);
    stream = await engine.openStream(what, {
      path: `/containers/${request.containerId}/archive`,
      method: "GET",
      options: { path },
    });
    if (closed) {
      stream.destroy();
      return;
    }
    const opened = stream;
    sink.onResume = () => opened.resume();
    sink.onOpen();
    opened.on("data", (chunk: Buffer) => {
      if (!closed && !sink.onData("stdout", chunk)) opened.pause();
    });
    opened.on("end", () => end(null));
    opened.on("error", (error) => end(new IkadaError("Unavailable", `docker: ${what}: ${error.message}`, {}, error)));
    opened.on("close", () => end(new IkadaError("Unavailable", `docker: ${what}: the engine closed the stream`)));
  };
  open().catch((error: unknown) => end(notThere(error, request.path)));
  return {
    ...noInput,
    close() {
      closed = true;
      sink.onResume = undefined;
      stream?.destroy();
    },
  };
}

/** Writes a tar to a path of a container, by `cp`'s rules. */
export function writeArchive(
  engine: Engine,
  allowed: Promise<unknown>,
  request: ArchiveRequest,
  sink: StreamSink,
): ContainerStream {
  return new ArchiveWriter(engine, allowed, request, sink);
}

class ArchiveWriter implements ContainerStream {
  readonly #engine: Engine;
  readonly #request: ArchiveRequest;
  readonly #sink: StreamSink;
  #filter: ArchiveFilter | undefined;
  #call: ClientRequest | undefined;
  #closed = false;

  constructor(engine: Engine, allowed: Promise<unknown>, request: ArchiveRequest, sink: StreamSink) {
    this.#engine = engine;
    this.#request = request;
    this.#sink = sink;
    this.#open(allowed).catch((error: unknown) => this.#end(notThere(error, request.path)));
  }

  write(bytes: Uint8Array): boolean {
    let hasRoom = true;
    this.#guarded(() => {
      for (const piece of this.#filter?.push(bytes) ?? []) hasRoom = this.#call?.write(piece) ?? true;
    });
    return hasRoom;
  }

  end(): void {
    this.#guarded(() => {
      if (this.#filter) this.#call?.end(this.#filter.end());
    });
  }

  resize(): void {}

  close(): void {
    this.#closed = true;
    this.#call?.destroy();
  }

  async #open(allowed: Promise<unknown>): Promise<void> {
    await allowed;
    const { folder, rename, owner } = await this.#target();
    if (this.#closed) return;
    const { containerId } = this.#request;
    const what = `copy to ${containerId.slice(0, 12)}`;
    const query = new URLSearchParams({ path: folder, noOverwriteDirNonDir: "1" }).toString();
    const call = httpRequest({
      socketPath: this.#engine.socketPath,
      path: `/containers/${containerId}/archive?${query}`,
      method: "PUT",
      agent: false,
      headers: { Host: "docker", "Content-Type": "application/x-tar", "Transfer-Encoding": "chunked" },
    });
    this.#call = call;
    this.#filter = new ArchiveFilter({ rename, owner });
    call.on("drain", () => {
      if (!this.#closed) this.#sink.onDrain();
    });
    call.on("error", (error) =>
      this.#end(new IkadaError("Unavailable", `docker: ${what}: ${error.message}`, {}, error)),
    );
    call.on("response", (response) => {
      if (response.statusCode !== 200) {
        void refusal(response, what).then((error) => this.#end(notThere(error, this.#request.path)));
        return;
      }
      response.resume();
      response.on("end", () => this.#end(null));
    });
    this.#sink.onOpen();
  }

  /** Into a folder that is there under the names of the archive; else into its parent under the name that was asked for. */
  async #target(): Promise<{ folder: string; rename: string | undefined; owner: { uid: number; gid: number } }> {
    const { path, isFolder, owner } = await placeOf(this.#engine, this.#request, true);
    if (isFolder) return { folder: path, rename: undefined, owner };
    if (this.#request.path.endsWith("/")) throw new IkadaError("NotFound", `there is no folder ${this.#request.path}`);
    return { folder: posix.dirname(path), rename: posix.basename(path), owner };
  }

  #guarded(run: () => void): void {
    if (this.#closed) return;
    try {
      run();
    } catch (caught) {
      this.#end(IkadaError.from(caught));
    }
  }

  #end(error: Error | null): void {
    if (this.#closed) return;
    this.#closed = true;
    if (error !== null) this.#call?.destroy();
    this.#sink.onEnd(error);
  }
}

interface Place {
  /** Absolute, of what links lead to. */
  readonly path: string;
  readonly isFolder: boolean;
  readonly owner: { readonly uid: number; readonly gid: number };
}

/** What the path means in the container. What is not there yet is found with `mayBeMissing`. */
async function placeOf(engine: Engine, { containerId, path }: ArchiveRequest, mayBeMissing = false): Promise<Place> {
  const { Config } = await engine.call(`inspect ${containerId.slice(0, 12)}`, engineDeadlines.readMs, (abortSignal) =>
    engine.docker.getContainer(containerId).inspect({ abortSignal }),
  );
  const [, uid = "0", gid = uid] = /^(\d+)(?::(\d+))?$/.exec(Config.User) ?? [];
  const owner = { uid: Number(uid), gid: Number(gid) };
  let place = posix.resolve("/", Config.WorkingDir, path);
  for (let links = 0; links < linksMax; links += 1) {
    const found = await stat(engine, containerId, place);
    if (found === undefined) {
      if (mayBeMissing) return { path: place, isFolder: false, owner };
      throw new IkadaError("NotFound", `there is no ${path} in the container`);
    }
    if (!found.isLink) return { path: place, isFolder: found.isFolder, owner };
    place = posix.resolve(posix.dirname(place), found.linkTarget);
  }
  throw new IkadaError("BadRequest", `${path} leads through more than ${linksMax} links`);
}

interface PathStat {
  readonly isFolder: boolean;
  readonly isLink: boolean;
  readonly linkTarget: string;
}

/** Go's os.FileMode. */
const folderBit = 2 ** 31;
const linkBit = 2 ** 27;

function stat(engine: Engine, containerId: string, path: string): Promise<PathStat | undefined> {
  const what = `look at a path in ${containerId.slice(0, 12)}`;
  return engine.call(what, engineDeadlines.readMs, (signal) => {
    const query = new URLSearchParams({ path }).toString();
    return new Promise((resolve, reject) => {
      const request = httpRequest({
        socketPath: engine.socketPath,
        path: `/containers/${containerId}/archive?${query}`,
        method: "HEAD",
        agent: false,
        headers: { Host: "docker" },
        signal,
      });
      request.on("response", (response) => {
        response.resume();
        const encoded = response.headers["x-docker-container-path-stat"];
        if (response.statusCode === 404) resolve(undefined);
        else if (response.statusCode !== 200 || typeof encoded !== "string") {
          reject(new IkadaError("Internal", `docker: ${what}: HTTP code ${response.statusCode}`));
        } else {
          const { mode = 0, linkTarget = "" } = JSON.parse(Buffer.from(encoded, "base64").toString()) as Partial<{
            mode: number;
            linkTarget: string;
          }>;
          const has = (bit: number): boolean => Math.floor(mode / bit) % 2 === 1;
          resolve({ isFolder: has(folderBit), isLink: has(linkBit), linkTarget });
        }
      });
      request.on("error", reject);
      request.end();
    });
  });
}

/** The engine names containers and paths alike; callers named the path. */
function notThere(caught: unknown, path: string): IkadaError {
  const error = IkadaError.from(caught);
  if (error.reason !== "NotFound" || !error.message.startsWith("docker: copy")) return error;
  return new IkadaError("NotFound", `there is no folder for ${path} in the container`, {}, error);
}
