import { readFileSync } from "node:fs";
import { IkadaError } from "../src/base/errors.js";

/** @throws IkadaError NotFound when the file is missing, Invalid when it can't be read */
export function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (caught) {
    const { code, message } = caught as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new IkadaError("NotFound", `cannot read ${file}: no such file`, {}, caught);
    throw new IkadaError("Invalid", `cannot read ${file}: ${message}`, {}, caught);
  }
}
