import { statfs } from "node:fs/promises";
import { PassThrough } from "node:stream";
import { IkadaError } from "../../src/base/errors.js";
import type { ContainerStream, StreamSink } from "../core/access.js";
import { taggedReference } from "../core/image-reference.js";
import type { DiskSpace, StoredImage } from "../core/runtime.js";
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
    const { blocks, bavail, bsize } = await statfs(folder);
    return { capacityBytes: blocks * bsize, availableBytes: bavail * bsize };
  } catch (caught) {
    throw new IkadaError("Unavailable", `the disk of the engine's folder ${folder} can't be read`, {}, caught);
  }
}

/** Passes an archive on to the engine as it comes. */
export function loadImages(engine: Engine, sink: StreamSink): ContainerStream {
  const input = new PassThrough();
  const abort = new AbortController();
  let closed = false;
  const end = (error: IkadaError | null): void => {
    if (closed) return;
    closed = true;
    abort.abort();
    sink.onEnd(error);
  };
  input.on("drain", () => {
    if (!closed) sink.onDrain();
  });
  input.on("error", () => undefined);
  const load = async (): Promise<void> => {
    // The engine's answer begins when the whole archive is in: as long as bytes come there is no deadline but the caller's.
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
    write: (bytes) => closed || input.write(bytes),
    end: () => input.end(),
    resize: () => undefined,
    close() {
      closed = true;
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

/** @throws IkadaError BadRequest with the engine's words */
function loadedNames(answer: string): string[] {
  const names: string[] = [];
  for (const line of answer.split("\n")) {
    if (line.trim() === "") continue;
    const { stream, error } = JSON.parse(line) as { stream?: string; error?: string };
    if (error !== undefined) throw new IkadaError("BadRequest", `docker: load images: ${error}`, { hint: archiveHint });
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
  const why = `docker: load images: ${(json?.message ?? message ?? String(caught)).trim()}`;
  if (statusCode === undefined) return new IkadaError("Unavailable", why, {}, caught);
  if (why.includes("no space left"))
    return new IkadaError("Unavailable", why, { hint: "make room on the node's disk" }, caught);
  // The engine has one status for a broken archive and for its own troubles.
  return new IkadaError("BadRequest", why, { hint: archiveHint }, caught);
}

function named(names: readonly string[] | null | undefined): string[] {
  return (names ?? []).filter((name) => !name.startsWith("<none>"));
}

const archiveHint = "give a file that `docker save` has written";
const answerLengthMax = 1024 * 1024;
