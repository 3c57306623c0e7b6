import { PassThrough } from "node:stream";
import { IkadaError } from "../../src/base/errors.js";
import type { ContainerStream, StreamSink } from "../core/access.js";
import { loadFailure } from "../core/engine-words.js";
import { taggedReference } from "../../src/api/image-reference.js";
import type { DiskSpace, StoredImage } from "../core/runtime.js";
import { diskSpace } from "../machine-supplies.js";
import { engineDeadlines, type Engine } from "./engine.js";

/** All images of the engine, with whether any container, also somebody else's, was made of them. */
export async function listImages(engine: Engine): Promise<readonly StoredImage[]> {
  const [images, containers] = await Promise.all([
    engine.call("list images", engineDeadlines.readMs, () => engine.docker.listImages()),
    engine.call("list containers", engineDeadlines.readMs, (abortSignal) =>
      engine.docker.listContainers({ all: true, abortSignal }),
    ),
  ]);
  const used = new Set(containers.map(({ ImageID }) => ImageID));
  return images.map(({ Id: id, RepoTags, RepoDigests, Size: sizeBytes }) => ({
    id,
    tags: named(RepoTags),
    digests: named(RepoDigests),
    sizeBytes,
    inUse: used.has(id),
  }));
}

/** Never by force: what a container has, whoever's, the engine keeps. */
export async function removeImage(engine: Engine, reference: string): Promise<void> {
  const name = reference.startsWith("sha256:") ? reference : taggedReference(reference);
  try {
    await engine.call(`remove image ${reference}`, engineDeadlines.removeMs, (abortSignal) =>
      engine.docker.getImage(name).remove({ abortSignal }),
    );
  } catch (caught) {
    if (!(caught instanceof IkadaError && caught.reason === "NotFound")) throw caught;
  }
}

/** The engine's own folder; it has to be on this machine. */
export async function imageDisk(engine: Engine): Promise<DiskSpace> {
  const info = (await engine.call("info", engineDeadlines.readMs, () => engine.docker.info())) as {
    DockerRootDir?: string;
  };
  const folder = info.DockerRootDir ?? "";
  try {
    return await diskSpace(folder);
  } catch (caught) {
    throw new IkadaError("Unavailable", `the disk of the engine's folder ${folder} can't be read`, {}, caught);
  }
}

interface LoadDeadlines {
  readonly takeImageMs: number;
  readonly keepImageMs: number;
}

/** Passes an archive on to the engine as it comes. The engine has deadlines, the sender of the archive none: that is the caller's to watch. */
export function loadImages(
  engine: Engine,
  sink: StreamSink,
  { takeImageMs, keepImageMs }: LoadDeadlines = engineDeadlines,
): ContainerStream {
  const input = new PassThrough();
  const abort = new AbortController();
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  const end = (error: IkadaError | null): void => {
    clearTimeout(timer);
    if (closed) return;
    closed = true;
    abort.abort();
    sink.onEnd(error);
  };
  /** From now on it is the engine's turn. */
  const wait = (deadlineMs: number, what: string): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      end(new IkadaError("Deadline", `docker: load images: ${what} within ${deadlineMs} ms`, { hint: busyHint }));
    }, deadlineMs);
  };
  input.on("drain", () => {
    clearTimeout(timer);
    if (!closed) sink.onDrain();
  });
  input.on("error", () => undefined);
  const load = async (): Promise<void> => {
    // The engine's answer begins when the whole archive is in.
    const answer = await engine.docker.loadImage(input, { quiet: true, abortSignal: abort.signal });
    const names = loadedNames(await textOf(answer));
    if (closed) return;
    for (const name of names) sink.onData("stdout", Buffer.from(`${name}\n`));
    end(null);
  };
  queueMicrotask(() => {
    if (closed) return;
    sink.onOpen();
    load().catch((caught: unknown) => end(loadError(caught)));
  });
  return {
    write(bytes) {
      if (closed) return true;
      const hasRoom = input.write(bytes);
      if (!hasRoom) wait(takeImageMs, "it took no more of the archive");
      return hasRoom;
    },
    end() {
      if (!closed) wait(keepImageMs, "no answer to the whole archive");
      input.end();
    },
    resize: () => undefined,
    close() {
      closed = true;
      clearTimeout(timer);
      // The engine sees its request broken off and throws away what it has.
      abort.abort();
    },
  };
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = "";
  for await (const chunk of stream) if (text.length < answerLengthMax) text += String(chunk);
  return text;
}

/** @throws IkadaError BadRequest, Unavailable with the engine's words */
function loadedNames(answer: string): string[] {
  const names: string[] = [];
  for (const line of answer.split("\n")) {
    if (line.trim() === "") continue;
    const { stream, error } = JSON.parse(line) as { stream?: string; error?: string };
    if (error !== undefined) throw loadError({ statusCode: 200, message: error });
    const name = /^Loaded image(?: ID)?: (\S+)/.exec(stream ?? "")?.[1];
    if (name !== undefined) names.push(name);
  }
  if (names.length > 0) return names;
  throw new IkadaError("BadRequest", "docker: load images: there is no image in the archive", { hint: archiveHint });
}

function loadError(caught: unknown): IkadaError {
  if (caught instanceof IkadaError) return caught;
  const { statusCode, json, message } = caught as {
    statusCode?: number;
    json?: { message?: string };
    message?: string;
  };
  const words = (json?.message ?? message ?? String(caught)).trim();
  // Without a status no engine has answered.
  const reason = statusCode === undefined ? "Unavailable" : loadFailure(words);
  const hint = reason === "BadRequest" ? archiveHint : busyHint;
  return new IkadaError(reason, `docker: load images: ${words}`, { hint }, caught);
}

/** Without the engine's word for none. */
export function named(names: readonly string[] | null | undefined): string[] {
  return (names ?? []).filter((name) => !name.startsWith("<none>"));
}

const busyHint = "see what the node's engine and its disk are doing, and load it again: loading twice changes nothing";
const archiveHint = "give a file that `docker save` has written";
const answerLengthMax = 1024 * 1024;
