import { cpSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Caller, type Outcome } from "./caller.js";
import { makeManifest, tryManifest } from "./manifests.js";
import { readMethods, type ApiMethod } from "./protos.js";
import { applyOf, framesOf, makeRequest, randomOf, type Request, type RequestMaker } from "./requests.js";
import { shrink, type Shows } from "./shrink.js";
import { openSite, type Site } from "./site.js";
import { checkState, prepare, sweep } from "./state.js";
import { faultOf, reasonIn } from "./verdict.js";
import { Watchman, type Health } from "./watchman.js";
import { encodeFields } from "./wire.js";

export interface FuzzOptions {
  /** Requests and manifests together. */
  readonly requests: number;
  readonly seed: number;
  /** The first number, to go on where a run has ended. @default 0 */
  readonly from?: number;
  /** Ends the run after this time, whatever was sent by then. */
  readonly minutes?: number;
  /** Requests in flight at once. @default 48 */
  readonly lanes?: number;
  readonly tell: (line: string) => void;
}

export interface Finding {
  readonly fault: string;
  /** With the seed it makes the request again; undefined for what no single request is known to have done. */
  readonly number: number | undefined;
  /** The smallest request found that shows it. */
  readonly request: string | undefined;
  times: number;
}

export interface FuzzReport {
  readonly requests: number;
  readonly manifests: number;
  readonly seconds: number;
  readonly findings: readonly Finding[];
  /** How often each method was answered how. */
  readonly answers: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly health: Health;
  /** Objects that are there in the end, the same on every server. */
  readonly objects: number;
  /** The servers' logs, kept when there are findings. */
  readonly logsFolder: string | undefined;
}

const lanesDefault = 48;
/** Every fifth is a manifest. */
const manifestChance = 0.2;
/** What fuzzed requests leave behind is cleared away after so many. */
const sweepEvery = 15_000;
const tellEverySeconds = 10;
const brokenKeptMax = 300;
/** A server that has ended is started again within this time. */
const breakMs = 1_500;
/** What the search for smaller requests may take, all together. */
const explainMsMax = 60_000;

/** Sends fuzzed requests and manifests to a cluster of real servers, and tells what they did to it. */
export async function runFuzz(options: FuzzOptions): Promise<FuzzReport> {
  const site = await openSite();
  try {
    return await new Fuzz(site, options).run();
  } finally {
    await site.harness.close();
  }
}

class Fuzz {
  readonly #site: Site;
  readonly #options: FuzzOptions;
  readonly #caller: Caller;
  readonly #watchman: Watchman;
  readonly #maker: RequestMaker;
  readonly #methods: ReadonlyMap<string, ApiMethod>;
  readonly #findings = new Map<string, Finding>();
  readonly #answers = new Map<string, Map<string, number>>();
  /** By fault, the first request that showed it. */
  readonly #suspects = new Map<string, Request>();
  /** Sent when a connection broke, which one of them may have brought about. */
  readonly #broken: Request[] = [];
  #requests = 0;
  #manifests = 0;

  constructor(site: Site, options: FuzzOptions) {
    this.#site = site;
    this.#options = options;
    this.#caller = new Caller(site);
    this.#watchman = new Watchman(site, (fault) => this.#found(fault));
    const methods = readMethods("proto");
    this.#methods = new Map(methods.map((method) => [method.path, method]));
    this.#maker = { seed: options.seed, methods, servers: site.addresses.length, token: site.token };
  }

  async run(): Promise<FuzzReport> {
    await prepare(this.#site.harness.client);
    await this.#watchman.start();
    try {
      const seconds = await this.#sendAll();
      await this.#explainAll();
      this.#readLogs();
      await sweep(this.#site.harness.client);
      const objects = await checkState(this.#site.harness, (fault) => this.#found(fault));
      return {
        requests: this.#requests,
        manifests: this.#manifests,
        seconds,
        findings: [...this.#findings.values()],
        answers: this.#answers,
        health: this.#watchman.health,
        objects,
        logsFolder: this.#findings.size > 0 ? this.#keepLogs() : undefined,
      };
    } finally {
      await this.#watchman.close();
      this.#caller.close();
    }
  }

  async #sendAll(): Promise<number> {
    const { requests, from = 0, minutes = Infinity, lanes = lanesDefault, tell } = this.#options;
    const startedAt = performance.now();
    const secondsGone = (): number => (performance.now() - startedAt) / 1_000;
    let next = from;
    let toldAt = 0;
    let sweeping: Promise<void> | undefined;
    const lane = async (): Promise<void> => {
      while (next < from + requests && secondsGone() < minutes * 60) {
        const number = next++;
        if (number > from && number % sweepEvery === 0) sweeping = sweep(this.#site.harness.client);
        await sweeping;
        if (secondsGone() - toldAt > tellEverySeconds) {
          toldAt = secondsGone();
          const sent = number - from;
          tell(`${sent} sent, ${Math.round(sent / toldAt)} per second, ${this.#findings.size} findings`);
        }
        await this.#one(number);
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    return secondsGone();
  }

  async #one(number: number): Promise<void> {
    if (isManifest(this.#options.seed, number)) return await this.#manifest(number);
    this.#requests += 1;
    await this.#request(makeRequest(this.#maker, number));
  }

  async #manifest(number: number): Promise<void> {
    this.#manifests += 1;
    const { fault, objects } = tryManifest(makeManifest(this.#options.seed, number));
    if (fault !== undefined) this.#found(fault, number);
    this.#count("manifest", objects.length > 0 ? "OK" : "refused");
    for (const object of objects.slice(0, 3)) await this.#request(applyOf(this.#maker, number, object));
  }

  async #request(request: Request): Promise<void> {
    const outcome = await this.#caller.call(request);
    this.#count(request.path.length > 60 ? "odd paths" : request.path, outcomeName(outcome));
    if (outcome.type === "broken") {
      if (this.#broken.length < brokenKeptMax) this.#broken.push(request);
      // A server that has ended needs a moment.
      await sleep(breakMs);
      return;
    }
    const fault = faultOf(request, outcome, this.#methods.get(request.path));
    if (fault === undefined) return;
    const named = `${request.path.slice(0, 60)}: ${fault}`;
    this.#found(named, request.number);
    if (!this.#suspects.has(named)) this.#suspects.set(named, request);
  }

  #found(fault: string, number?: number): void {
    const known = this.#findings.get(fault);
    if (known) known.times += 1;
    else {
      this.#findings.set(fault, { fault, number, request: undefined, times: 1 });
      this.#options.tell(`finding${number === undefined ? "" : ` at ${number}`}: ${fault}`);
    }
  }

  #count(method: string, outcome: string): void {
    const counts = this.#answers.get(method) ?? new Map<string, number>();
    this.#answers.set(method, counts);
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }

  /** Sends each suspect again, alone, and makes it smaller as long as it shows the same. */
  async #explainAll(): Promise<void> {
    const until = performance.now() + explainMsMax;
    for (const [named, suspect] of this.#suspects) {
      const shows = async (request: Request): Promise<boolean> => {
        const outcome = performance.now() < until ? await this.#caller.call(request) : undefined;
        const fault = outcome && faultOf(request, outcome, this.#methods.get(request.path));
        return `${request.path.slice(0, 60)}: ${fault}` === named;
      };
      await this.#explain(named, suspect, shows);
    }
    const breaks = async (request: Request): Promise<boolean> => {
      if (performance.now() > until) return false;
      if ((await this.#caller.call(request)).type !== "broken") return false;
      await sleep(breakMs);
      return true;
    };
    for (const request of this.#broken) {
      if (!(await breaks(request))) continue;
      const named = `${request.path.slice(0, 60)}: the connection breaks`;
      this.#found(named, request.number);
      await this.#explain(named, request, breaks);
    }
    if (this.#broken.length > 0)
      this.#found(`${this.#broken.length} requests were not answered, since their connection broke`);
  }

  async #explain(named: string, suspect: Request, shows: Shows): Promise<void> {
    const finding = this.#findings.get(named)!;
    if (finding.request !== undefined) return;
    const request = (await shows(suspect))
      ? requestText(await shrink(suspect, shows))
      : "not seen again when sent alone";
    this.#findings.set(named, { ...finding, request });
  }

  #keepLogs(): string {
    const folder = mkdtempSync(join(tmpdir(), "ikada-fuzz-logs-"));
    cpSync(join(this.#site.harness.cluster.folder, "logs"), folder, { recursive: true });
    return folder;
  }

  /** What servers have said before they ended, and of calls that failed inside them. */
  #readLogs(): void {
    const { harness } = this.#site;
    for (const { name } of harness.cluster.servers)
      for (const message of ["this server can't go on", "a call failed inside the server"])
        for (const { stack, error } of harness.logFields(name, message))
          this.#found(
            `${message}: ${String(stack ?? error)
              .split("\n")
              .slice(0, 6)
              .join(" ")}`,
          );
  }
}

/** Whether this number is a manifest. */
export function isManifest(seed: number, number: number): boolean {
  return randomOf(~seed >>> 0, number).chance(manifestChance);
}

function outcomeName(outcome: Outcome): string {
  if (outcome.type !== "answer") return outcome.type;
  const reason = outcome.details && reasonIn(outcome.details);
  return (
    reason ??
    (outcome.code === 0 ? "OK" : outcome.code === undefined ? `HTTP ${outcome.httpStatus}` : `code ${outcome.code}`)
  );
}

/** For people: enough to see what it is about, in one line. */
function requestText(request: Request): string {
  const { port, identity, path, headers, damage, messages } = request;
  const bytes = framesOf(request);
  const shown = messages.map((fields) =>
    encodeFields(fields)
      .toString("latin1")
      .replace(/[^\x20-\x7e]+/g, "·")
      .slice(0, 300),
  );
  const { authorization: _token, ...others } = headers;
  return `${port} as ${identity} ${path} ${JSON.stringify({ ...others, ...damage })} ${shown.join(" | ")} (${bytes.length} bytes)`;
}
