import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";

/** A forked process that answers each message with one message, in order. */
export class Forked<Question, Answer> {
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #waiting: { readonly resolve: (answer: Answer) => void; readonly reject: (error: Error) => void }[] = [];

  /** `file`: beside this one, or below. `profileFolder`: where each of its threads leaves a profile of its processor time when it ends. */
  constructor(file: string, profileFolder: string | undefined) {
    const path = fileURLToPath(new URL(file, import.meta.url));
    const execArgv = profileFolder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileFolder}`];
    // As the launcher has it.
    const env = { ...process.env, UV_THREADPOOL_SIZE: "16" };
    this.#child = fork(path, { serialization: "advanced", execArgv, env });
    this.#child.on("message", (answer: Answer) => this.#waiting.shift()?.resolve(answer));
    this.#exited = new Promise((resolve) => {
      this.#child.once("exit", (code) => {
        for (const { reject } of this.#waiting.splice(0)) reject(new Error(`${file} ended with ${code}`));
        resolve();
      });
    });
  }

  ask<Expected extends Answer>(question: Question): Promise<Expected> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve: resolve as (answer: Answer) => void, reject });
      this.#child.send(question as object);
    });
  }

  /** Lets it end by itself, and ends it if it does not. */
  async close(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const force = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
    await this.#exited;
    clearTimeout(force);
  }
}
