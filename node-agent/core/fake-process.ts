import type { Timer, Timers } from "../../src/base/env.js";
import type { ExecStreamRequest, StreamSink, TerminalSize } from "./access.js";
import type { FakeContainer } from "./fake-engine.js";
import type { FakeExec } from "./fake-program.js";

export interface FakeProcessOptions {
  readonly container: FakeContainer;
  readonly request: ExecStreamRequest;
  readonly sink: StreamSink;
  readonly timers: Timers;
  /** What the image makes of a command that is not known here. */
  readonly run: (command: readonly string[]) => FakeExec;
}

/** Programs that run in a container beside its own, by container. */
const running = new WeakMap<FakeContainer, Set<string>>();

/** Whether `ps` would show a command. */
export function runsFakeProcess(container: FakeContainer, command: string): boolean {
  return running.get(container)?.has(command) ?? false;
}

/**
 * A command on a stream. Known are `sh -c` with statements between semicolons, and as statements: `echo W… [>&2]`, `cat` (its input, until that
 * ends), `yes`, `sleep S`, `stty size`, `true`, `false`, `exit N`, also with `busybox` before them. Anything else is up to the image.
 */
export class FakeProcess {
  readonly #options: FakeProcessOptions;
  readonly #statements: string[];
  readonly #output: { readonly stream: "stdout" | "stderr"; readonly bytes: Uint8Array }[] = [];
  #size: TerminalSize | undefined;
  #exitCode = 0;
  #timer: Timer | undefined;
  #isFull = false;
  #inputEnded = false;
  #readsInput = false;
  #isOver = false;
  readonly #onContainer = (): void => {
    if (this.#options.container.info.phase !== "running") this.#finish(137);
  };

  constructor(options: FakeProcessOptions) {
    this.#options = options;
    this.#size = options.request.size;
    const [name = "", , script = ""] = options.request.command;
    this.#statements = name === "sh" ? script.split(";") : [options.request.command.join(" ")];
  }

  begin(): void {
    const { container, sink, request, timers, run } = this.#options;
    const programs = running.get(container) ?? new Set();
    running.set(container, programs.add(request.command.join(" ")));
    container.followers.add(this.#onContainer);
    sink.onResume = () => {
      this.#isFull = false;
      this.#pump();
    };
    sink.onOpen();
    const isKnown = this.#statements.every((statement) => known.has(wordsOf(statement)[0] ?? ""));
    if (isKnown) {
      this.#next();
      return;
    }
    const { output, exitCode, takesMs } = run(request.command);
    this.#timer = timers.after(takesMs, () => {
      this.#exitCode = exitCode;
      this.#statements.length = 0;
      if (output !== "") this.#emit("stdout", output);
      this.#next();
    });
  }

  write(bytes: Uint8Array): boolean {
    if (this.#readsInput && !this.#isOver) {
      this.#output.push({ stream: "stdout", bytes });
      this.#pump();
    }
    return true;
  }

  end(): void {
    this.#inputEnded = true;
    if (!this.#readsInput) return;
    this.#readsInput = false;
    this.#next();
  }

  resize(size: TerminalSize): void {
    this.#size = size;
  }

  close(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#leave();
  }

  /** Runs statements until one takes time, then ends. */
  #next(): void {
    const { timers } = this.#options;
    while (!this.#isOver) {
      const statement = this.#statements.shift();
      if (statement === undefined) {
        this.#pump();
        return;
      }
      const words = wordsOf(statement);
      switch (words[0]) {
        case "echo": {
          const toError = words.at(-1) === ">&2";
          this.#emit(toError ? "stderr" : "stdout", `${words.slice(1, toError ? -1 : undefined).join(" ")}\n`);
          break;
        }
        case "stty":
          this.#emit("stdout", `${this.#size?.rows ?? 0} ${this.#size?.columns ?? 0}\n`);
          break;
        case "cat":
          if (this.#inputEnded || !this.#options.request.stdin) break;
          this.#readsInput = true;
          return;
        case "sleep":
          this.#timer = timers.after(Number(words[1]) * 1000, () => this.#next());
          return;
        case "yes":
          this.#statements.unshift(statement);
          if (!this.#isFull) this.#emit("stdout", "y\n".repeat(512));
          this.#timer = timers.after(1, () => this.#next());
          return;
        case "exit":
          this.#exitCode = Number(words[1] ?? 0);
          this.#statements.length = 0;
          break;
        default:
          this.#exitCode = words[0] === "false" ? 1 : 0;
      }
    }
  }

  #emit(stream: "stdout" | "stderr", text: string): void {
    const { tty } = this.#options.request;
    const bytes = new TextEncoder().encode(tty ? text.replaceAll("\n", "\r\n") : text);
    this.#output.push({ stream: tty ? "stdout" : stream, bytes });
    this.#pump();
  }

  #pump(): void {
    while (!this.#isFull && !this.#isOver) {
      const next = this.#output.shift();
      if (next === undefined) break;
      this.#isFull = !this.#options.sink.onData(next.stream, next.bytes);
    }
    const isDone = this.#statements.length === 0 && !this.#readsInput && this.#output.length === 0;
    if (isDone && !this.#isOver) this.#options.timers.after(1, () => this.#finish(this.#exitCode));
  }

  #finish(exitCode: number): void {
    if (this.#isOver) return;
    this.close();
    this.#options.sink.onResume = undefined;
    this.#options.sink.onEnd(null, exitCode);
  }

  #leave(): void {
    const { container, request } = this.#options;
    running.get(container)?.delete(request.command.join(" "));
    container.followers.delete(this.#onContainer);
  }
}

const known: ReadonlySet<string> = new Set(["echo", "cat", "yes", "sleep", "stty", "true", "false", "exit"]);

/** `busybox NAME` is NAME. */
function wordsOf(statement: string): string[] {
  const words = statement.trim().split(/\s+/);
  return words[0] === "busybox" ? words.slice(1) : words;
}
