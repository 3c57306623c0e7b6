import type { Command } from "commander";
import { IkadaError } from "../../src/base/errors.js";
import type { RemoteProcess } from "../../sdk/index.js";
import { ExitStatus } from "../failures.js";
import { joinTerminal, terminalSize } from "../local-terminal.js";
import { onePod } from "../pods-of.js";
import { withSession, type Session } from "../session.js";

interface ProcessOptions {
  readonly container?: string;
  readonly stdin?: boolean;
  readonly tty?: boolean;
}

/** As shells have it: 128 and the number of SIGINT. */
const interruptedCode = 130;

/** `ikada exec POD -- COMMAND`, as kubectl has it; ends with the command's exit code. */
export function addExec(program: Command): void {
  withProcessOptions(program.command("exec").description("run a command in a container"))
    .argument("<what>", "POD, pod/NAME or deployment/NAME")
    .argument("<command...>", "behind --: ikada exec web -- ls -l")
    .action((word: string, words: string[], options: ProcessOptions, command: Command) =>
      withSession(command, async (session) => {
        const pod = await onePod(session, word);
        const terminal = terminalFor(options);
        await join(session, terminal, () =>
          session.client.access.exec(pod, words, { ...common(session, options, terminal), tty: terminal.tty }),
        );
      }),
    );
}

/** `ikada attach POD`: what the container's main process writes from now on; with -i also its input. */
export function addAttach(program: Command): void {
  withProcessOptions(program.command("attach").description("connect to the main process of a container"))
    .argument("<what>", "POD, pod/NAME or deployment/NAME")
    .action((word: string, options: ProcessOptions, command: Command) =>
      withSession(command, async (session) => {
        const pod = await onePod(session, word);
        const terminal = terminalFor(options);
        await join(session, terminal, () => session.client.access.attach(pod, common(session, options, terminal)));
      }),
    );
}

function withProcessOptions(command: Command): Command {
  return command
    .option("-c, --container <name>", "in this container (default: the only one)")
    .option("-i, --stdin", "send it what is typed or piped in")
    .option("-t, --tty", "with a terminal");
}

interface Terminal {
  readonly stdin: boolean;
  readonly tty: boolean;
}

function terminalFor({ stdin = false, tty = false }: ProcessOptions): Terminal {
  const isTerminal = process.stdin.isTTY || !stdin;
  if (tty && !isTerminal) process.stderr.write("no terminal is used: the input of this command is none\n");
  return { stdin, tty: tty && isTerminal };
}

function common({ namespace, signal }: Session, { container }: ProcessOptions, { stdin, tty }: Terminal) {
  const size = tty ? terminalSize() : undefined;
  return { namespace, signal, stdin, ...(container !== undefined && { container }), ...(size && { size }) };
}

async function join({ signal }: Session, terminal: Terminal, open: () => Promise<RemoteProcess>): Promise<void> {
  let code: number | undefined;
  try {
    const remote = await open();
    await joinTerminal(remote, terminal);
    code = await remote.exitCode;
  } catch (caught) {
    if (signal.aborted && IkadaError.from(caught).reason === "Cancelled") throw new ExitStatus(interruptedCode);
    throw caught;
  }
  // Of what does not fit a byte the shell would see the rest alone, and that could be 0.
  if (code !== undefined && code !== 0) throw new ExitStatus(code > 0 && code < 256 ? code : 255);
}
