import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { IkadaError } from "../src/base/errors.js";
import { readFile } from "./config.js";

/** A context as it is written: texts, or files with them, relative to the folder of the context file. */
export interface WrittenContext {
  endpoints?: readonly string[];
  ca?: string;
  caFile?: string;
  token?: string;
  tokenFile?: string;
  namespace?: string;
}

/** A context file's content. */
export interface WrittenContexts {
  current?: string;
  contexts: Record<string, WrittenContext>;
}

/**
 * The content of a context file that is to be changed; one with a single context becomes one with that context as `default`.
 * @throws IkadaError Invalid when it is broken: it is not overwritten then
 */
export function readWritten(file: string): WrittenContexts {
  if (!existsSync(file)) return { contexts: {} };
  // Says what is wrong with it, if anything is.
  readFile(file);
  const value = JSON.parse(readFileSync(file, "utf8")) as WrittenContexts | WrittenContext;
  return "contexts" in value ? value : { contexts: { default: value } };
}

/** Writes a context file, all or nothing, and for its owner only: there may be tokens in it. */
export function writeContexts(file: string, written: WrittenContexts): void {
  const text = `${JSON.stringify(written, undefined, 2)}\n`;
  const fresh = `${file}.${process.pid}.new`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(fresh, text, { mode: 0o600, flag: "wx" });
    renameSync(fresh, file);
  } catch (caught) {
    rmSync(fresh, { force: true });
    throw new IkadaError("Invalid", `cannot write ${file}: ${(caught as Error).message}`, {}, caught);
  }
}
