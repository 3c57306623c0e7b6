import { statSync } from "node:fs";
import { basename, dirname, posix, resolve } from "node:path";
import { InvalidArgumentError, type Command } from "commander";
import { unitsOf, canonicalQuantity } from "../../src/api/quantity.js";
import { IkadaError } from "../../src/base/errors.js";
import { packFiles } from "../copy/pack-files.js";
import { Unpacker } from "../copy/unpack.js";
import { harmless } from "../output.js";
import { withSession, type Session } from "../session.js";

interface CopyOptions {
  readonly container?: string;
  readonly limit: number;
}

interface Place {
  readonly path: string;
  /** Undefined: on this machine. */
  readonly pod: string | undefined;
  readonly namespace: string | undefined;
}

/** `ikada cp FROM TO`, one of them `[NAMESPACE/]POD:PATH`: a file or a folder, as `cp -r` does. */
export function addCopy(program: Command): void {
  program
    .command("cp")
    .description("copy files to and from containers")
    .argument("<from>", "PATH, POD:PATH or NAMESPACE/POD:PATH")
    .argument("<to>", "the same; one of the two is in a Pod")
    .option("-c, --container <name>", "in this container (default: the only one)")
    .option("--limit <bytes>", "most that is taken from a container: 500Mi", parseBytes, parseBytes("64Gi"))
    .action((from: string, to: string, options: CopyOptions, command: Command) =>
      withSession(command, async (session) => {
        const [source, target] = [placeOf(from), placeOf(to)];
        if (source.pod !== undefined && target.pod === undefined) await download(session, source, target.path, options);
        else if (source.pod === undefined && target.pod !== undefined)
          await upload(session, source.path, target, options);
        else throw new IkadaError("BadRequest", "one of the two places is on this machine, the other is POD:PATH");
      }),
    );
}

/** A colon behind a slash is part of a local path: `./a:b`. */
function placeOf(word: string): Place {
  const match = /^(?:([a-z0-9.-]+)\/)?([a-z0-9][a-z0-9.-]*):(.*)$/s.exec(word);
  if (!match) return { path: word, pod: undefined, namespace: undefined };
  const [, namespace, pod, path = ""] = match;
  if (path === "") throw new IkadaError("BadRequest", `"${word}" has no path behind the colon`);
  return { path, pod, namespace };
}

async function upload(session: Session, path: string, target: Place, { container }: CopyOptions): Promise<void> {
  const { client, signal } = session;
  await client.access.writeArchive(target.pod!, target.path, packFiles(path, warn), {
    namespace: target.namespace ?? session.namespace,
    signal,
    ...(container !== undefined && { container }),
  });
}

async function download(
  session: Session,
  source: Place,
  path: string,
  { container, limit }: CopyOptions,
): Promise<void> {
  const { client, signal } = session;
  const { folder, rename } = localTarget(path);
  const unpacker = new Unpacker({ folder, rename, bytesMax: limit, onSkipped: warn });
  try {
    for await (const chunk of client.access.readArchive(source.pod!, source.path, {
      namespace: source.namespace ?? session.namespace,
      signal,
      ...(container !== undefined && { container }),
    }))
      unpacker.push(chunk);
    unpacker.end();
  } finally {
    unpacker.close();
  }
}

/** Into a folder that is there under its own name; else under the name that was asked for. @throws IkadaError NotFound */
function localTarget(path: string): { folder: string; rename: string | undefined } {
  const at = resolve(path);
  if (statSync(at, { throwIfNoEntry: false })?.isDirectory()) return { folder: at, rename: undefined };
  const parent = dirname(at);
  const isThere = statSync(parent, { throwIfNoEntry: false })?.isDirectory() ?? false;
  if (!isThere || path.endsWith(posix.sep))
    throw new IkadaError("NotFound", `there is no folder ${isThere ? path : parent} here`);
  return { folder: parent, rename: basename(at) };
}

function warn(message: string): void {
  process.stderr.write(`left out: ${harmless(message)}\n`);
}

/** @throws InvalidArgumentError */
function parseBytes(text: string): number {
  if (canonicalQuantity(text) === undefined)
    throw new InvalidArgumentError("Write a number of bytes: 1000000, 500Mi, 2Gi.");
  return unitsOf(text);
}
