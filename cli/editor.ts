import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { IkadaError } from "../src/base/errors.js";

/** A text that a person edits, in a file of its own that only its owner can read. It stays until `remove`. */
export class EditedFile {
  readonly path: string;

  /** `name`: with the ending by which editors know the language. */
  constructor(name: string) {
    this.path = join(mkdtempSync(join(tmpdir(), "ikada-edit-")), name);
  }

  /** Opens the text in the editor and gives what it is afterwards. @throws IkadaError Cancelled when the editor says that it failed */
  async edit(text: string, environment: NodeJS.ProcessEnv): Promise<string> {
    writeFileSync(this.path, text, { mode: 0o600 });
    await runEditor(this.path, environment);
    return readFileSync(this.path, "utf8");
  }

  remove(): void {
    rmSync(dirname(this.path), { recursive: true, force: true });
  }
}

/** $IKADA_EDITOR, $VISUAL, $EDITOR or vi, as the shell understands it: it may have arguments. */
function runEditor(path: string, environment: NodeJS.ProcessEnv): Promise<void> {
  const editor = ["IKADA_EDITOR", "VISUAL", "EDITOR"].map((name) => environment[name]).find(Boolean) ?? "vi";
  return new Promise((resolve, reject) => {
    const failed = (why: string, cause?: unknown): void =>
      reject(
        new IkadaError(
          "Cancelled",
          `the editor '${editor}' ${why}`,
          { hint: "set EDITOR to the one you like; nothing was changed in the cluster" },
          cause,
        ),
      );
    const child = spawn("sh", ["-c", `${editor} "$1"`, "sh", path], { stdio: "inherit", env: environment });
    child.once("error", (error) => failed(`could not be started: ${error.message}`, error));
    child.once("exit", (code, signal) => {
      if (code === 0) resolve();
      else failed(code === null ? `was ended by ${signal ?? "a signal"}` : `ended with ${code}`);
    });
  });
}
