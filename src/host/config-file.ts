import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { IkadaError } from "../base/errors.js";

/**
 * Reads one object of a JSON configuration file field by field. Every fault names file and field; fields that
 * nobody asked for are faults too (`end`), with the nearest known name.
 */
export class ConfigSection {
  readonly #file: string;
  readonly #path: string;
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #asked = new Set<string>();

  private constructor(file: string, path: string, value: unknown) {
    this.#file = file;
    this.#path = path;
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw this.fault("", "an object is expected here");
    this.#fields = value as Record<string, unknown>;
  }

  /** A value that is not in the file yet, to be judged as if it stood there at `path`. */
  static of(file: string, path: string, value: object): ConfigSection {
    return new ConfigSection(file, path, value);
  }

  /** @throws IkadaError NotFound, or Invalid with the place of broken JSON */
  static read(file: string): ConfigSection {
    let text: string;
    try {
      text = readFileSync(file, "utf8");
    } catch (caught) {
      throw new IkadaError(
        "NotFound",
        `cannot read the configuration file ${file}: ${(caught as Error).message}`,
        {},
        caught,
      );
    }
    try {
      return new ConfigSection(file, "", JSON.parse(text));
    } catch (caught) {
      if (caught instanceof IkadaError) throw caught;
      throw new IkadaError("Invalid", `${file}: ${(caught as Error).message}`, {}, caught);
    }
  }

  text(name: string, fallback?: string): string {
    const value = this.#value(name, fallback);
    if (typeof value !== "string" || value === "") throw this.fault(name, "a non-empty string is expected");
    return value;
  }

  /** A path, relative to the folder of the configuration file. */
  path(name: string, fallback?: string): string {
    return resolve(dirname(this.#file), this.text(name, fallback));
  }

  integer(name: string, least: number, most: number, fallback?: number): number {
    const value = this.#value(name, fallback);
    if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most) {
      throw this.fault(name, `a whole number from ${least} to ${most} is expected`);
    }
    return value as number;
  }

  boolean(name: string, fallback?: boolean): boolean {
    const value = this.#value(name, fallback);
    if (typeof value !== "boolean") throw this.fault(name, "true or false is expected");
    return value;
  }

  oneOf<T extends string>(name: string, allowed: readonly T[], fallback?: T): T {
    const value = this.#value(name, fallback);
    if (!allowed.includes(value as T)) throw this.fault(name, `one of ${allowed.join(", ")} is expected`);
    return value as T;
  }

  /** `host:port`. */
  address(name: string, fallback?: string): string {
    const value = this.text(name, fallback);
    const port = Number(/^(?:\[[0-9a-f:.]+\]|[^:\s]+):(\d{1,5})$/i.exec(value)?.[1]);
    if (!(port > 0 && port < 65_536)) throw this.fault(name, `an address host:port is expected, not "${value}"`);
    return value;
  }

  texts(name: string, fallback?: readonly string[]): readonly string[] {
    const value = this.#value(name, fallback);
    if (!Array.isArray(value) || value.some((item) => typeof item !== "string"))
      throw this.fault(name, "a list of strings is expected");
    return value as string[];
  }

  /** String to string. */
  map(name: string): Readonly<Record<string, string>> {
    const section = this.section(name, {});
    return Object.fromEntries(Object.keys(section.#fields).map((key) => [key, section.text(key)]));
  }

  section(name: string, fallback?: object): ConfigSection {
    return new ConfigSection(this.#file, this.#join(name), this.#value(name, fallback));
  }

  sections(name: string): readonly ConfigSection[] {
    const value = this.#value(name);
    if (!Array.isArray(value)) throw this.fault(name, "a list is expected");
    return value.map((item, index) => new ConfigSection(this.#file, `${this.#join(name)}[${index}]`, item));
  }

  /** Sections by names that are not known before. */
  sectionMap(name: string): Readonly<Record<string, ConfigSection>> {
    const section = this.section(name);
    return Object.fromEntries(Object.keys(section.#fields).map((key) => [key, section.section(key)]));
  }

  has(name: string): boolean {
    this.#asked.add(name);
    return this.#fields[name] !== undefined;
  }

  /** Call it after the last field. @throws IkadaError Invalid for a field that was never asked for */
  end(): void {
    for (const name of Object.keys(this.#fields)) {
      if (this.#asked.has(name)) continue;
      const nearest = [...this.#asked].sort((a, b) => distance(a, name) - distance(b, name))[0];
      throw this.fault(name, `there is no such field${nearest === undefined ? "" : `; did you mean "${nearest}"?`}`);
    }
  }

  #value(name: string, fallback?: unknown): unknown {
    this.#asked.add(name);
    const value = this.#fields[name] ?? fallback;
    if (value === undefined) throw this.fault(name, "this field is required");
    return value;
  }

  #join(name: string): string {
    return this.#path === "" ? name : `${this.#path}.${name}`;
  }

  /** The error for a field, to be thrown. */
  fault(name: string, message: string): IkadaError {
    const field = name === "" ? this.#path : this.#join(name);
    return new IkadaError("Invalid", `${this.#file}: ${field === "" ? "" : `${field}: `}${message}`);
  }
}

/** Levenshtein's. Names are short. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length]!;
}
