import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Command, CommanderError } from "commander";
import colors from "picocolors";
import { IkadaError } from "../src/base/errors.js";
import { addApply } from "./commands/apply.js";
import { addCertificate } from "./commands/certificate.js";
import { addCluster } from "./commands/cluster.js";
import { addCompletion } from "./commands/completion.js";
import { addContext } from "./commands/context.js";
import { addCopy } from "./commands/copy.js";
import { addCreate } from "./commands/create.js";
import { addDelete } from "./commands/delete.js";
import { addCordon, addUncordon } from "./commands/cordon.js";
import { addDescribe } from "./commands/describe.js";
import { addDiff } from "./commands/diff.js";
import { addDrain } from "./commands/drain.js";
import { addEdit } from "./commands/edit.js";
import { addEtcd } from "./commands/etcd.js";
import { addEvents } from "./commands/events.js";
import { addAttach, addExec } from "./commands/exec.js";
import { addExplain } from "./commands/explain.js";
import { addGet } from "./commands/get.js";
import { addHistory, addUndo } from "./commands/history.js";
import { addImage } from "./commands/image.js";
import { addKinds } from "./commands/kinds.js";
import { addAnnotate, addLabel } from "./commands/label.js";
import { addLogs } from "./commands/logs.js";
import { addPatch } from "./commands/patch.js";
import { addPortForward } from "./commands/port-forward.js";
import { addRollout } from "./commands/rollout.js";
import { addScale } from "./commands/scale.js";
import { addTop } from "./commands/top.js";
import { addWait } from "./commands/wait.js";
import { ExitStatus, Failures } from "./failures.js";
import { parseSpan } from "./flags.js";
import { harmless } from "./output.js";

/** 0: done; 1: refused or failed; 2: the command line makes no sense. `diff` has its own meanings, `exec` and `attach` have their command's. */
type ExitCode = number;

function buildProgram(): Command {
  const manifest = JSON.parse(readFileSync(fileURLToPath(new URL("../../package.json", import.meta.url)), "utf8")) as {
    version: string;
  };
  const program = new Command("ikada")
    .description(
      "Talks to an Ikada cluster. `ikada server` and `ikada agent` run its parts, `ikada backup inspect` looks into a backup.",
    )
    .version(manifest.version)
    .option(
      "--config <file>",
      "context file (default: $IKADA_CONFIG, then the cluster of `npm run up` and ~/.config/ikada/config.json)",
    )
    .option("--context <name>", "which of its clusters (default: $IKADA_CONTEXT, then that of `ikada context use`)")
    .option("-n, --namespace <name>", "namespace")
    .option("--request-timeout <span>", "longest time for one call (default: 15s)", parseSpan)
    .showHelpAfterError("(add --help for what there is)")
    .enablePositionalOptions(false)
    .exitOverride();
  for (const add of [
    addGet,
    addDescribe,
    addApply,
    addCreate,
    addDiff,
    addDelete,
    addEdit,
    addPatch,
    addLabel,
    addAnnotate,
    addScale,
    addRollout,
    addHistory,
    addUndo,
    addWait,
    addLogs,
    addExec,
    addAttach,
    addPortForward,
    addCopy,
    addTop,
    addCordon,
    addUncordon,
    addDrain,
    addImage,
    addEvents,
    addCluster,
    addEtcd,
    addContext,
    addKinds,
    addExplain,
    addCertificate,
    addCompletion,
  ])
    add(program);
  for (const command of program.commands) inherit(command);
  return program;
}

/** kubectl's users write `get pods -n web`, with the global flags behind the command. */
function inherit(command: Command): void {
  command.exitOverride();
  if (command.commands.length > 0) {
    for (const child of command.commands) inherit(child);
    return;
  }
  command
    .option("--config <file>", "context file")
    .option("--context <name>", "which of its clusters")
    .option("-n, --namespace <name>", "namespace")
    .option("--request-timeout <span>", "longest time for one call", parseSpan);
}

function report(caught: unknown): void {
  if (caught instanceof Failures) {
    for (const error of caught.errors) reportOne(error);
  } else reportOne(IkadaError.from(caught));
}

function reportOne(error: IkadaError): void {
  const { faults = [], hint, object } = error.details;
  const about = object !== undefined && !error.message.includes(object) ? `${object}: ` : "";
  process.stderr.write(`${colors.red("error")} (${error.reason}): ${harmless(`${about}${error.message}`)}\n`);
  for (const fault of faults) process.stderr.write(`  ${harmless(`${fault.field}: ${fault.message}`)}\n`);
  if (hint !== undefined) process.stderr.write(`  ${harmless(hint)}\n`);
}

async function main(): Promise<ExitCode> {
  // A reader that went away (`ikada get pods | head`) is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  try {
    await buildProgram().parseAsync();
    return 0;
  } catch (caught) {
    if (caught instanceof CommanderError) return caught.exitCode === 0 ? 0 : 2;
    if (caught instanceof ExitStatus) {
      if (caught.cause !== undefined) report(caught.cause);
      return caught.code;
    }
    report(caught);
    return 1;
  }
}

process.exitCode = await main();
