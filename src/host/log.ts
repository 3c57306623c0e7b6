import { createLogger, format, transports, type Logger } from "winston";
import type { Log, LogFields } from "../base/env.js";

export const logLevels = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LogOptions {
  /** The least important level that is written. @default "info" */
  readonly level?: LogLevel;
  /** Appends to this file (mode 0600); stderr when absent. */
  readonly file?: string;
  /** Added to each line, e.g. the process and the member's id. */
  readonly fields?: LogFields;
}

/**
 * JSON lines: `time`, `level`, `message`, then the fields. Values of fields whose name looks like a secret
 * are replaced, as the last of several nets.
 */
export function hostLog(options: LogOptions = {}): Log {
  const level = options.level ?? "info";
  const logger = createLogger({
    levels: { error: 0, warn: 1, info: 2, debug: 3 },
    level,
    format: format.printf((line) => String(line.message)),
    transports: [
      options.file === undefined
        ? new transports.Stream({ stream: process.stderr })
        : new transports.File({ filename: options.file, options: { flags: "a", mode: 0o600 } }),
    ],
  });
  return new HostLog(logger, logLevels.indexOf(level), options.fields ?? {});
}

/** A log that writes nothing, for tests and tools. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => silentLog,
};

class HostLog implements Log {
  readonly #logger: Logger;
  /** Position in `logLevels`; kept here so that a line that is not written costs one comparison. */
  readonly #level: number;
  readonly #fields: LogFields;

  constructor(logger: Logger, level: number, fields: LogFields) {
    this.#logger = logger;
    this.#level = level;
    this.#fields = fields;
  }

  debug(message: string, fields?: LogFields): void {
    if (this.#level >= 3) this.#write("debug", message, fields);
  }

  info(message: string, fields?: LogFields): void {
    if (this.#level >= 2) this.#write("info", message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    if (this.#level >= 1) this.#write("warn", message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#write("error", message, fields);
  }

  with(fields: LogFields): Log {
    return new HostLog(this.#logger, this.#level, { ...this.#fields, ...fields });
  }

  #write(level: LogLevel, message: string, fields: LogFields | undefined): void {
    this.#logger.log({
      level,
      message: formatLine(new Date().toISOString(), level, message, { ...this.#fields, ...fields }),
    });
  }
}

/** One line of the log without its end. Exported for its test. */
export function formatLine(time: string, level: LogLevel, message: string, fields: LogFields): string {
  const line: Record<string, string | number | boolean | undefined> = { time, level, message };
  for (const [name, value] of Object.entries(fields)) {
    const field = name in line ? `field_${name}` : name;
    line[field] = value !== undefined && looksSecret(name) ? "[redacted]" : value;
  }
  return JSON.stringify(line);
}

const secretWords = new Set([
  "token",
  "tokens",
  "password",
  "passwd",
  "secret",
  "secrets",
  "key",
  "keys",
  "authorization",
]);

/** `joinToken`, `private_key`, `PASSWORD`: any of the name's words is a secret's word. */
function looksSecret(name: string): boolean {
  const words = name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").split(/[^A-Za-z0-9]+/);
  return words.some((word) => secretWords.has(word.toLowerCase()));
}
