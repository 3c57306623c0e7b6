import { InvalidArgumentError, type Command } from "commander";
import type { AnyObject } from "../../src/api/object.js";
import { IkadaError } from "../../src/base/errors.js";
import { chooseObjects, type Choice, type Chosen } from "../choose-objects.js";
import { tryEach } from "../failures.js";
import { filenameOption, timeoutOption } from "../flags.js";
import { shortName, withSession, type Session } from "../session.js";
import { TimeLimit } from "../time-limit.js";
import { parseAwaited, type Awaited } from "../wait-condition.js";

interface WaitOptions extends Choice {
  readonly for: Awaited;
  readonly timeout: number;
}

/** One object to wait for; with a uid only that very object. */
interface Waiting extends Chosen {
  readonly uid: string | undefined;
}

/** `ikada wait pod/web --for=condition=Ready` */
export function addWait(program: Command): void {
  program
    .command("wait")
    .description("wait until objects are in a state, are there, or are gone")
    .argument("[what...]", "KIND NAME..., KIND/NAME..., or KIND with -l or --all")
    .requiredOption(
      "--for <condition>",
      "condition=TYPE[=STATUS], delete, create, jsonpath='{.path}'[=VALUE]",
      parseFor,
    )
    .addOption(filenameOption("the objects of this manifest or folder; several times for several"))
    .option("-R, --recursive", "folders with their subfolders")
    .option("-l, --selector <labels>", "all with these labels")
    .option("--field-selector <fields>", "all with these fields")
    .option("--all", "all of the kind in the namespace")
    .option("-A, --all-namespaces", "with -l or --all: of every namespace")
    .addOption(timeoutOption("30s"))
    .action((words: string[], options: WaitOptions, command: Command) =>
      withSession(command, async (session) => {
        const chosen = await chooseObjects(session, words, options);
        if (chosen.length === 0) {
          if (options.for.type === "delete") return;
          throw new IkadaError("NotFound", "no matching resources found", {
            hint: "wait --for=create KIND/NAME waits for one that is not there yet",
          });
        }
        // What each of them is now: one that is deleted and made anew meanwhile is not the same.
        const waiting: Waiting[] = [];
        await tryEach(chosen, async (one) => {
          const uid = await presentUid(session, one, options.for);
          if (uid !== "absent") waiting.push({ ...one, uid });
          else process.stdout.write(`${shortName(one.kind, one.name)} condition met\n`);
        });
        // Without time to wait there is still that of one call, to look.
        using limit = new TimeLimit(options.timeout === 0 ? session.deadlineMs : options.timeout, session.signal);
        await tryEach(waiting, async (one) => {
          // A watch that was cut off for so long that its place is no longer kept begins anew with what there is.
          let met = false;
          while (!met) met = await waitFor(session, one, options, limit);
          process.stdout.write(`${shortName(one.kind, one.name)} condition met\n`);
        });
      }),
    );
}

function parseFor(text: string): Awaited {
  try {
    return parseAwaited(text);
  } catch (caught) {
    const { message, details } = IkadaError.from(caught);
    throw new InvalidArgumentError(`${message}${details.hint === undefined ? "" : `\n  ${details.hint}`}`);
  }
}

/** `absent`: it is gone already, as it should be. @throws IkadaError NotFound when it has to be there */
async function presentUid(session: Session, one: Chosen, awaited: Awaited): Promise<string | undefined> {
  if (awaited.type === "create") return undefined;
  const { namespace, kind, name } = one;
  const { client, signal, deadlineMs } = session;
  try {
    const object = one.object ?? (await client.get(kind, name, { namespace, signal, deadlineMs }));
    return object.metadata.uid;
  } catch (caught) {
    if (awaited.type === "delete" && IkadaError.from(caught).reason === "NotFound") return "absent";
    throw caught;
  }
}

/** One watch, that begins with what is there, so that nothing falls between looking and watching. False: it has to begin anew. */
async function waitFor(session: Session, one: Waiting, options: WaitOptions, limit: TimeLimit): Promise<boolean> {
  const { kind, namespace, name } = one;
  const scope = { namespace, fieldSelector: `metadata.name=${name}`, signal: limit.signal };
  let last: AnyObject | undefined;
  try {
    for await (const event of session.client.watch(kind, scope)) {
      if (event.type === "BOOKMARK") {
        if (last === undefined && isGone(one, options.for)) return true;
      } else if (event.type === "DELETED") {
        last = undefined;
        if (isGone(one, options.for)) return true;
      } else {
        last = event.object;
        if (isMet(one, last, options.for)) return true;
      }
      // Without time to wait, only what is there counts; a bookmark says that all of it was given.
      if (options.timeout === 0 && event.type === "BOOKMARK") throw inVain(one, last, options);
    }
  } catch (caught) {
    if (limit.expired) throw inVain(one, last, options, caught);
    if (IkadaError.from(caught).reason !== "Compacted") throw caught;
  }
  return false;
}

function isMet({ uid, kind, name }: Waiting, object: AnyObject, awaited: Awaited): boolean {
  if (awaited.type === "create") return true;
  const isOther = uid !== undefined && object.metadata.uid !== uid;
  if (awaited.type !== "state") return isOther;
  if (isOther)
    throw new IkadaError("NotFound", `${shortName(kind, name)} was deleted and made anew while it was waited for`);
  return awaited.holds(object);
}

/** What its absence means. @throws IkadaError NotFound when it will never be in the state that is waited for */
function isGone({ kind, name }: Waiting, { type }: Awaited): boolean {
  if (type === "state")
    throw new IkadaError("NotFound", `${shortName(kind, name)} was deleted while it was waited for`);
  return type === "delete";
}

function inVain(
  { kind, name }: Waiting,
  last: AnyObject | undefined,
  { for: awaited, timeout }: WaitOptions,
  cause?: unknown,
): IkadaError {
  const standing =
    awaited.type === "state"
      ? last && awaited.standing(last)
      : awaited.type === "create"
        ? "it is not there"
        : last?.metadata.deletionTimestamp === undefined
          ? "nobody has deleted it"
          : `it is terminating since ${last.metadata.deletionTimestamp}, held by ${(last.metadata.finalizers ?? []).join(", ") || "its node"}`;
  const message = `timed out after ${timeout / 1000} s waiting for ${shortName(kind, name)}: ${standing ?? "nothing was heard of it"}`;
  return new IkadaError(
    "Deadline",
    message,
    awaited.type === "create"
      ? {}
      : { hint: `see 'ikada describe ${kind.singular} ${name}', or give it longer with --timeout` },
    cause,
  );
}
