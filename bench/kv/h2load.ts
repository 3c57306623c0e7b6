import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Endpoint } from "../contestant.js";
import { median, percentile } from "../measure.js";

/** At most so many connections, each with its share of what is in flight. */
const connectionsMax = 8;

export interface H2Load {
  readonly endpoint: Endpoint;
  /** `/package.Service/Name` */
  readonly path: string;
  /** The one message that every call sends. */
  readonly message: Uint8Array;
  readonly calls: number;
  readonly inFlight: number;
}

export interface H2LoadResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of all answers' bodies. */
  readonly bodyBytes: number;
}

export function hasH2load(): boolean {
  return spawnSync("h2load", ["--version"]).status === 0;
}

/**
 * Unary calls by nghttp2's h2load, a client that costs so little that the servers are what is measured. It knows HTTP alone: whether the
 * calls did what they should has to be looked at by other means. @throws Error when a call got no answer
 */
export async function h2load({ endpoint, path, message, calls, inFlight }: H2Load): Promise<H2LoadResult> {
  const folder = await mkdtemp(join(tmpdir(), "ikada-bench-h2load-"));
  try {
    const [body, log] = [join(folder, "body"), join(folder, "log")];
    await writeFile(body, framed(message));
    const connections = Math.min(inFlight, connectionsMax);
    const words = [
      `--requests=${calls}`,
      `--clients=${connections}`,
      `--max-concurrent-streams=${inFlight / connections}`,
      `--data=${body}`,
      `--log-file=${log}`,
      "--header=content-type: application/grpc",
      "--header=te: trailers",
      `--header=token: ${endpoint.token}`,
      `https://${endpoint.address}${path}`,
    ];
    const said = await run(words);
    const [, total, , , succeeded] = numbers(said, /^requests: (.*)$/m);
    if (total !== calls || succeeded !== calls)
      throw new Error(`h2load: not all of ${calls} calls succeeded:\n${said}`);
    const tookMs = (await readFile(log, "utf8")).trimEnd().split("\n").map(milliseconds);
    if (tookMs.length !== calls) throw new Error(`h2load logged ${tookMs.length} of ${calls} calls`);
    const perSecond = Number(/, ([\d.]+) req\/s/.exec(said)?.[1]);
    const bodyBytes = Number(/\((\d+)\) data$/m.exec(said)?.[1]);
    if (!(perSecond > 0) || Number.isNaN(bodyBytes)) throw new Error(`h2load said what is not understood:\n${said}`);
    return { perSecond, p50Ms: median(tookMs), p99Ms: percentile(tookMs, 0.99), bodyBytes };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A message as it is in a call's body: not compressed, its length, itself. */
export function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function run(words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("h2load", words, { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.once("error", reject);
    child.once("close", (code) =>
      code === 0 ? resolve(said) : reject(new Error(`h2load ended with ${code}:\n${said}`)),
    );
  });
}

/** `10 total, 10 started, …` */
function numbers(text: string, line: RegExp): readonly number[] {
  const found = line.exec(text)?.[1] ?? "";
  return [NaN, ...found.split(", ").map((each) => Number.parseInt(each, 10))];
}

/** A line of its log: when it began, HTTP status, microseconds. */
function milliseconds(line: string): number {
  return Number(line.split("\t")[2]) / 1000;
}
