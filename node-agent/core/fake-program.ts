import type { FakeMounts } from "./fake-volumes.js";
import type { ExecResult } from "./runtime.js";

/** What a fake container does from its start on. */
export interface FakeProgram {
  /** Milliseconds until it exits by itself; Infinity: never. */
  readonly runForMs: number;
  readonly exitCode: number;
  /** What SIGTERM, or the signal named, does. A process 1 without a handler does not see it. */
  readonly onTerm: { readonly exitCode: number; readonly signal?: string } | "ignored";
  readonly oomKilled: boolean;
  /** Lines written right after the start. */
  readonly output: readonly { readonly stream: "stdout" | "stderr"; readonly line: string }[];
  /** What it writes to its termination message right after the start. */
  readonly message?: string;
}

/** What a container finds around it. */
export interface FakePlace {
  readonly uid: string;
  readonly gid: string;
  readonly groups: readonly string[];
  readonly hostname: string;
  readonly processId: number;
  readonly files: ReadonlyMap<string, string>;
  readonly mounts: Pick<FakeMounts, "read" | "write"> | undefined;
  readonly readOnlyRoot: boolean;
  readonly messagePath: string | undefined;
  readonly hasInput: boolean;
}

const nowhere: FakePlace = {
  uid: "0",
  gid: "0",
  groups: ["0"],
  hostname: "",
  processId: 1,
  files: new Map(),
  mounts: undefined,
  readOnlyRoot: false,
  messagePath: undefined,
  hasInput: false,
};

export interface FakeExec extends ExecResult {
  readonly takesMs: number;
}

/** A scripted image. */
export interface FakeImage {
  /** Of its bytes; one of its name when there is none. */
  readonly id?: string;
  /** Undefined: the command can't be executed. */
  program(
    command: readonly string[],
    env: readonly (readonly [string, string])[],
    place: FakePlace,
  ): FakeProgram | undefined;
  /** Whom its containers run as; root when absent. */
  readonly user?: string;
  exec(command: readonly string[]): FakeExec;
  /** Answer to probes on the Pod's address; undefined: nothing listens on the port. */
  serve(port: number): { readonly status: number; readonly takesMs: number } | undefined;
}

const endless: FakeProgram = {
  runForMs: Infinity,
  exitCode: 0,
  onTerm: { exitCode: 0 },
  oomKilled: false,
  output: [],
};

/**
 * For `--runtime fake`: any image runs, whatever its command, and answers on every port. A Pod scripts its containers with
 * environment variables: `FAKE_RUN_FOR_MS`, `FAKE_EXIT_CODE`, `FAKE_OOM_KILLED=true`, `FAKE_IGNORE_TERM=true`.
 */
export const obligingImage: FakeImage = {
  program(_command, env) {
    const values = new Map(env);
    const runForMs = values.get("FAKE_RUN_FOR_MS");
    return {
      runForMs: runForMs === undefined ? Infinity : Number(runForMs),
      exitCode: Number(values.get("FAKE_EXIT_CODE") ?? 0),
      onTerm: values.get("FAKE_IGNORE_TERM") === "true" ? "ignored" : { exitCode: 0 },
      oomKilled: values.get("FAKE_OOM_KILLED") === "true",
      output: [],
    };
  },
  exec: () => ({ exitCode: 0, output: "", takesMs: 5 }),
  serve: () => ({ status: 200, takesMs: 1 }),
};

/** A one-command shell image, as much of busybox as the contract suite uses. */
export const shellImage: FakeImage = {
  program(command, env, place) {
    const [name, ...words] = command;
    if (name === undefined) return { ...endless, onTerm: "ignored" };
    if (name !== "sh") return isKnown(name) ? runShell([[name, ...words].join(" ")], env, place) : undefined;
    return runShell((words[1] ?? "").split(";"), env, place);
  },
  exec(command) {
    const [name, ...words] = command;
    if (name === undefined || !isKnown(name)) return { exitCode: 127, output: `exec: ${name}: not found`, takesMs: 5 };
    const statements = name === "sh" ? (words[1] ?? "").split(";") : [command.join(" ")];
    const program = runShell(statements, [], nowhere);
    return {
      exitCode: program.exitCode,
      output: program.output.map(({ line }) => `${line}\n`).join(""),
      takesMs: 5 + program.runForMs,
    };
  },
  serve: () => undefined,
};

function isKnown(name: string): boolean {
  return ["sh", "sleep", "echo", "true", "false", "env", "httpd", "cat", "grep", "hostname", "id"].includes(name);
}

/**
 * Statements: `sleep S`, `sleep S & wait`, `echo W… [>&2|> FILE]`, `env`, `id -u|-g|-G`, `hostname`, `cat [FILE]`, `grep [^]W FILE`, `true`,
 * `false`, `exit N`, `trap '' TERM`, `trap 'exit N' SIGNAL`; `$$` and `$NAME` in the words of an echo.
 */
function runShell(
  statements: readonly string[],
  env: readonly (readonly [string, string])[],
  place: FakePlace,
): FakeProgram {
  let [runForMs, exitCode] = [0, 0];
  let onTerm: FakeProgram["onTerm"] = "ignored";
  let message: string | undefined;
  const output: { stream: "stdout" | "stderr"; line: string }[] = [];
  const print = (...lines: readonly string[]): void => {
    for (const line of lines) output.push({ stream: "stdout", line });
  };
  for (const statement of statements) {
    const words = statement.trim().split(/\s+/);
    exitCode = 0;
    switch (words[0]) {
      case "sleep":
        runForMs += Number(words[1]) * 1000;
        break;
      case "echo": {
        const [last = "", before] = [words.at(-1), words.at(-2)];
        const file = before === ">" ? last : undefined;
        const said = words.slice(1, file !== undefined ? -2 : last === ">&2" ? -1 : undefined).join(" ");
        const line = expandShell(said, env, place);
        if (file === undefined) output.push({ stream: last === ">&2" ? "stderr" : "stdout", line });
        else if (file === place.messagePath) message = `${line}\n`;
        else exitCode = (place.mounts?.write(file, `${line}\n`) ?? !place.readOnlyRoot) ? 0 : 1;
        break;
      }
      case "env":
        for (const [name, value] of env) print(`${name}=${value}`);
        break;
      case "id":
        print({ "-u": place.uid, "-g": place.gid, "-G": place.groups.join(" ") }[words[1] ?? ""] ?? "");
        break;
      case "hostname":
        print(place.hostname);
        break;
      case "cat":
      case "grep": {
        const file = words[0] === "cat" ? words[1] : words[2];
        if (file === undefined) {
          if (place.hasInput) runForMs = Infinity;
          break;
        }
        const text = place.mounts?.read(file) ?? place.files.get(file) ?? "";
        const lines = text
          .replace(/\n$/, "")
          .split("\n")
          .slice(text === "" ? 1 : 0);
        const found = words[0] === "cat" ? lines : lines.filter((line) => matches(line, words[1] ?? ""));
        print(...found);
        exitCode = found.length > 0 ? 0 : 1;
        break;
      }
      case "false":
        exitCode = 1;
        break;
      case "httpd":
        runForMs = Infinity;
        break;
      case "trap": {
        const handler = /'exit (\d+)' (\w+)/.exec(statement);
        onTerm = handler === null ? "ignored" : { exitCode: Number(handler[1]), signal: `SIG${handler[2]}` };
        break;
      }
      case "exit":
        exitCode = Number(words[1] ?? 0);
        return { runForMs, exitCode, onTerm, oomKilled: false, output, ...(message !== undefined && { message }) };
      default:
        exitCode = words[0] === "true" || words[0] === "" ? 0 : 127;
    }
  }
  return { runForMs, exitCode, onTerm, oomKilled: false, output, ...(message !== undefined && { message }) };
}

function matches(line: string, pattern: string): boolean {
  const word = pattern.replace(/^'|'$/g, "");
  return word.startsWith("^") ? line.startsWith(word.slice(1)) : line.includes(word);
}

function expandShell(text: string, env: readonly (readonly [string, string])[], place: FakePlace): string {
  const values = new Map(env);
  return text.replace(/\$(\$|\w+)/g, (_, name: string) =>
    name === "$" ? String(place.processId) : (values.get(name) ?? ""),
  );
}
