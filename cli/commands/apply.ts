import type { Command } from "commander";
import { findKindByApiVersion } from "../../src/api/registry.js";
import type { AnyObject } from "../../src/api/object.js";
import { IkadaError } from "../../src/base/errors.js";
import { readManifests, type ManifestObject } from "../manifest.js";
import { harmless } from "../output.js";
import { waitForRollouts } from "./rollout.js";
import { parseSpan, shortName, withSession, type Session } from "../session.js";

interface ApplyOptions {
  readonly filename: readonly string[];
  readonly recursive?: boolean;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly fieldManager: string;
  readonly wait?: boolean;
  readonly timeout: string;
}

/** `ikada apply -f FILE`: server-side apply of every object, in the order of the manifests. */
export function addApply(program: Command): void {
  program
    .command("apply")
    .description("make the cluster's objects what the manifests say (server-side apply)")
    .requiredOption("-f, --filename <path...>", "file, folder, or - for standard input")
    .option("-R, --recursive", "folders with their subfolders")
    .option("--force", "take fields over that other managers own")
    .option("--dry-run", "check and show, change nothing")
    .option("--field-manager <name>", "who owns the fields", "ikada")
    .option("--wait", "wait until Deployments are rolled out")
    .option("--timeout <span>", "longest wait", "5m")
    .action((options: ApplyOptions, command: Command) =>
      withSession(command, async (session) => {
        const manifests = options.filename.flatMap((path) => readManifests(path, options.recursive ?? false));
        // All are checked before the first is changed, so that a typo in the last one changes nothing.
        const objects = manifests.map((manifest) => ({ manifest, object: placeIn(manifest, session.namespace) }));
        checkDuplicates(objects);
        const made = new Set(
          objects.filter(({ object }) => object.kind === "Namespace").map(({ object }) => object.metadata.name),
        );
        for (const { manifest, object } of objects) {
          if (made.has(object.metadata.namespace ?? "")) continue; // Its namespace is only made by this run.
          await applyOne(session, manifest, object, { ...options, dryRun: true }, false);
        }
        if (options.dryRun !== true) {
          for (const { manifest, object } of objects) await applyOne(session, manifest, object, options, true);
        }
        for (const { object } of options.dryRun === true ? objects : [])
          process.stdout.write(`${nameOf(object)} checked (dry run)\n`);
        if (options.wait === true && options.dryRun !== true) {
          const deployments = objects.filter(({ object }) => object.kind === "Deployment");
          await waitForRollouts(
            session,
            deployments.map(({ object }) => ({
              namespace: object.metadata.namespace ?? session.namespace,
              name: object.metadata.name,
            })),
            parseSpan(options.timeout, "--timeout"),
          );
        }
      }),
    );
}

/** Fills the namespace in, and refuses what is no object with the line it stands on. */
function placeIn(manifest: ManifestObject, namespace: string): AnyObject {
  const { value, locate } = manifest;
  for (const field of ["apiVersion", "kind"]) {
    if (typeof value[field] !== "string") throw new IkadaError("Invalid", `${locate(field)}: ${field} is missing`);
  }
  const metadata = value["metadata"];
  if (typeof metadata !== "object" || metadata === null || typeof (metadata as { name?: unknown }).name !== "string") {
    throw new IkadaError("Invalid", `${locate("metadata.name")}: metadata.name is missing`);
  }
  const object = value as AnyObject;
  const kind = findKindByApiVersion(object.apiVersion, object.kind);
  if (!kind)
    throw new IkadaError(
      "UnknownKind",
      `${locate("kind")}: there is no kind "${object.kind}" in version "${object.apiVersion}"`,
      { hint: "'ikada api-resources' lists the kinds" },
    );
  if (!kind.namespaced || object.metadata.namespace !== undefined) return object;
  return { ...object, metadata: { ...object.metadata, namespace } };
}

interface Placed {
  readonly manifest: ManifestObject;
  readonly object: AnyObject;
}

/** The second of two would silently undo the first. */
function checkDuplicates(objects: readonly Placed[]): void {
  const places = new Map<string, string>();
  for (const { manifest, object } of objects) {
    const identity = [object.apiVersion, object.kind, object.metadata.namespace, object.metadata.name].join(" ");
    const place = manifest.locate("metadata.name");
    const first = places.get(identity);
    if (first !== undefined) {
      throw new IkadaError("Invalid", `${place}: metadata.name: ${nameOf(object)} stands at ${first} already`, {
        hint: "rename one of them, or remove it",
      });
    }
    places.set(identity, place);
  }
}

async function applyOne(
  session: Session,
  manifest: ManifestObject,
  object: AnyObject,
  options: ApplyOptions,
  tell: boolean,
): Promise<void> {
  const { client, signal, deadlineMs } = session;
  let result;
  try {
    result = await client.apply(object, {
      force: options.force ?? false,
      dryRun: options.dryRun ?? false,
      fieldManager: options.fieldManager,
      signal,
      deadlineMs,
    });
  } catch (caught) {
    throw atPlace(IkadaError.from(caught), manifest, object);
  }
  if (!tell) return;
  for (const warning of result.warnings) process.stderr.write(`Warning: ${harmless(warning)}\n`);
  process.stdout.write(
    `${nameOf(object)} ${result.created ? "created" : result.changed ? "configured" : "unchanged"}\n`,
  );
}

/** Puts the line of each faulty field before its message. */
function atPlace(error: IkadaError, manifest: ManifestObject, object: AnyObject): IkadaError {
  const faults = error.details.faults ?? [];
  if (faults.length === 0)
    return new IkadaError(
      error.reason,
      `${manifest.locate("metadata.name")}: ${nameOf(object)}: ${error.message}`,
      error.details,
      error,
    );
  const lines = faults.map((fault) => `${manifest.locate(fault.field)}: ${fault.field}: ${fault.message}`);
  return new IkadaError(
    error.reason,
    `${nameOf(object)} is refused:\n  ${lines.join("\n  ")}`,
    { ...error.details, faults: [] },
    error,
  );
}

function nameOf(object: AnyObject): string {
  const kind = findKindByApiVersion(object.apiVersion, object.kind);
  return kind ? shortName(kind, object.metadata.name) : `${object.kind}/${object.metadata.name}`;
}
