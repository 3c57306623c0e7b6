import type { ExecResult } from "./runtime.js";

/** What a fake container does from its start on. */
export interface FakeProgram {
  /** Milliseconds until it exits by itself; Infinity: never. */
  readonly runForMs: number;
  readonly exitCode: number;
  /** What SIGTERM does. A process 1 without a handler does not see it. */
  readonly onTerm: { readonly exitCode: number } | "ignored";
  readonly oomKilled: boolean;
  /** Lines written right after the start. */
  readonly output: readonly { readonly stream: "stdout" | "stderr"; readonly line: string }[];
}

export interface FakeExec extends ExecResult {
  readonly takesMs: number;
}

/** A scripted image. */
export interface FakeImage {
  /** Undefined: the command can't be executed. */
  program(command: readonly string[], env: readonly (readonly [string, string])[]): FakeProgram | undefined;
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
  program(command, env) {
    const [name, ...words] = command;
    if (name === undefined) return { ...endless, onTerm: "ignored" };
    if (name !== "sh") return isKnown(name) ? runShell([[name, ...words].join(" ")], env) : undefined;
    return runShell((words[1] ?? "").split(";"), env);
  },
  exec(command) {
    const [name, ...words] = command;
    if (name === undefined || !isKnown(name)) return { exitCode: 127, output: `exec: ${name}: not found`, takesMs: 5 };
    const statements = name === "sh" ? (words[1] ?? "").split(";") : [command.join(" ")];
    const program = runShell(statements, []);
    return {
      exitCode: program.exitCode,
      output: program.output.map(({ line }) => `${line}\n`).join(""),
      takesMs: 5 + program.runForMs,
    };
  },
  serve: () => undefined,
};

function isKnown(name: string): boolean {
  return ["sh", "sleep", "echo", "true", "false", "env"].includes(name);
}

/** Statements: `sleep S`, `sleep S & wait`, `echo W… [>&2]`, `env`, `true`, `false`, `exit N`, `trap '' TERM`, `trap 'exit N' TERM`. */
function runShell(statements: readonly string[], env: readonly (readonly [string, string])[]): FakeProgram {
  let [runForMs, exitCode] = [0, 0];
  let onTerm: FakeProgram["onTerm"] = "ignored";
  const output: { stream: "stdout" | "stderr"; line: string }[] = [];
  for (const statement of statements) {
    const words = statement.trim().split(/\s+/);
    switch (words[0]) {
      case "sleep":
        runForMs += Number(words[1]) * 1000;
        break;
      case "echo": {
        const toError = words.at(-1) === ">&2";
        const line = words.slice(1, toError ? -1 : undefined).join(" ");
        output.push({ stream: toError ? "stderr" : "stdout", line });
        break;
      }
      case "env":
        for (const [name, value] of env) output.push({ stream: "stdout", line: `${name}=${value}` });
        break;
      case "false":
        exitCode = 1;
        break;
      case "trap": {
        const handler = /'exit (\d+)'/.exec(statement);
        onTerm = handler === null ? "ignored" : { exitCode: Number(handler[1]) };
        break;
      }
      case "exit":
        return { runForMs, exitCode: Number(words[1] ?? 0), onTerm, oomKilled: false, output };
      default:
        exitCode = words[0] === "true" || words[0] === "" ? 0 : 127;
    }
  }
  return { runForMs, exitCode, onTerm, oomKilled: false, output };
}
