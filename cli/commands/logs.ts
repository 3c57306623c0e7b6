import { once } from "node:events";
import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import colors from "picocolors";
import { fromTimestamp } from "../../src/api/time.js";
import { IkadaError } from "../../src/base/errors.js";
import { parseCount, parseSpan } from "../flags.js";
import { LogLines } from "../log-lines.js";
import { logSources, type ContainerChoice, type LogSource } from "../log-sources.js";
import { harmless } from "../output.js";
import { choosePods, listPods, onePod, type PodChoice } from "../pods-of.js";
import { withSession, type Session } from "../session.js";

interface LogsOptions {
  readonly container?: string;
  readonly follow?: boolean;
  readonly previous?: boolean;
  readonly tail?: number;
  readonly since?: number;
  readonly sinceTime?: Date;
  readonly limitBytes?: number;
  readonly timestamps?: boolean;
  readonly selector?: string;
  readonly allContainers?: boolean;
  readonly allPods?: boolean;
  readonly prefix?: boolean;
  readonly raw?: boolean;
  readonly maxLogRequests: number;
}

/** Lines of each container when many are asked for, as kubectl has it. */
const tailOfMany = 10;

/** `ikada logs POD [CONTAINER]`, of one of a Deployment's Pods, or of all with labels: `-l app=web`. */
export function addLogs(program: Command): void {
  program
    .command("logs")
    .description("print what containers wrote")
    .argument("[what]", "POD, pod/NAME or deployment/NAME (one of its Pods)")
    .argument("[container]", "of this container")
    .option("-c, --container <name>", "the same")
    .option("-l, --selector <labels>", "of all Pods with these labels")
    .option("--all-pods", "of all Pods of the Deployment")
    .option("--all-containers", "of all containers of each Pod")
    .option("-f, --follow", "go on; with -l or --all-pods also with Pods that come later")
    .option("-p, --previous", "of the run before the last restart")
    .option("--tail <lines>", "only the last lines (default: all; 10 of each with -l)", parseCount)
    .option("--since <span>", "only what is younger: 10m", parseSpan)
    .option("--since-time <time>", "only what is younger: 2026-01-31T12:00:00Z", parseTime)
    .option("--limit-bytes <bytes>", "no more than these of each container", parseCount)
    .option("--timestamps", "with the time of each line")
    .option("--prefix", "with Pod and container before each line (default when there are several)")
    .option("--raw", "send control characters to the terminal as they are")
    .option("--max-log-requests <number>", "containers that are followed at once", parseCount, 20)
    .action((word: string | undefined, container: string | undefined, options: LogsOptions, command: Command) =>
      withSession(command, async (session) => {
        const choice = { container: options.container ?? container, all: options.allContainers ?? false };
        await new LogPrinter(session, choice, options).print(await podsFor(session, word, options));
      }),
    );
}

async function podsFor(session: Session, word: string | undefined, options: LogsOptions): Promise<PodChoice> {
  const { selector, allPods = false } = options;
  if (selector !== undefined) {
    if (word !== undefined) throw new IkadaError("BadRequest", "name Pods or give -l LABELS, not both");
    return { labelSelector: selector, what: `the selector ${selector}` };
  }
  if (word === undefined) throw new IkadaError("BadRequest", "name a Pod, or give -l LABELS");
  const choice = await choosePods(session, word);
  if (allPods || "pod" in choice) return choice;
  const pod = await onePod(session, word);
  process.stderr.write(`using pod/${pod}; --all-pods is for all\n`);
  return { pod };
}

/** One run of `ikada logs`. */
class LogPrinter {
  readonly #session: Session;
  readonly #choice: ContainerChoice;
  readonly #options: LogsOptions;
  /** What is followed now, by run. */
  readonly #followed = new Set<string>();
  #colors = 0;
  readonly #failures: IkadaError[] = [];

  constructor(session: Session, choice: ContainerChoice, options: LogsOptions) {
    this.#session = session;
    this.#choice = choice;
    this.#options = options;
  }

  async print(choice: PodChoice): Promise<void> {
    if ("pod" in choice && !this.#choice.all) {
      await this.#read(
        { pod: choice.pod, container: this.#choice.container ?? "", id: "" },
        this.#options.prefix ?? false,
        {},
      );
      return;
    }
    if (this.#options.follow && !("pod" in choice)) return this.#followAll(choice.labelSelector);
    const pods = await listPods(this.#session, choice);
    const sources = pods.flatMap((pod) => logSources(pod, this.#choice, true));
    if (sources.length === 0)
      throw new IkadaError(
        "NotFound",
        `no container of ${"pod" in choice ? `pod "${choice.pod}"` : choice.what} has a log`,
      );
    const isMany = sources.length > 1;
    if (this.#options.follow) {
      if (sources.length > this.#options.maxLogRequests) {
        const hint = "choose fewer, or give a larger --max-log-requests";
        throw new IkadaError("BadRequest", `${sources.length} containers to be followed at once`, { hint });
      }
      await Promise.all(sources.map((source) => this.#readOne(source, isMany)));
    } else for (const source of sources) await this.#readOne(source, isMany);
    const [failure] = this.#failures;
    if (failure) throw failure;
  }

  /** All that there is and that comes, until this command is ended. */
  async #followAll(labelSelector: string): Promise<void> {
    const { client, namespace, signal } = this.#session;
    let isLater = false;
    let told = false;
    try {
      for await (const event of client.pods.watch({ namespace, labelSelector, signal })) {
        if (event.type === "BOOKMARK") isLater = true;
        if (event.type !== "ADDED" && event.type !== "MODIFIED") continue;
        for (const source of logSources(event.object, this.#choice, true)) {
          if (this.#followed.has(source.id)) continue;
          if (this.#followed.size >= this.#options.maxLogRequests) {
            if (!told)
              process.stderr.write(
                `more than ${this.#followed.size} containers: give a larger --max-log-requests for the others\n`,
              );
            told = true;
            continue;
          }
          this.#followed.add(source.id);
          void this.#readOne(source, true, isLater);
        }
      }
    } catch (caught) {
      if (!signal.aborted) throw caught;
    }
  }

  /** One of several: that it can't be read keeps nobody from the others. */
  async #readOne(source: LogSource, isMany: boolean, isLater = false): Promise<void> {
    try {
      await this.#read(
        source,
        this.#options.prefix ?? isMany,
        isLater ? { tail: -1 } : isMany ? { tail: tailOfMany } : {},
      );
    } catch (caught) {
      const error = IkadaError.from(caught);
      this.#failures.push(error);
      process.stderr.write(`pod/${source.pod}/${source.container}: ${harmless(error.message)}\n`);
    }
  }

  async #read(source: LogSource, hasPrefix: boolean, { tail }: { readonly tail?: number }): Promise<void> {
    const { client, namespace, signal } = this.#session;
    const { follow, previous, timestamps, since, sinceTime, limitBytes, raw = false } = this.#options;
    const lines = this.#options.tail ?? tail ?? -1;
    const chunks = client.logs(source.pod, {
      namespace,
      follow: follow ?? false,
      previous: previous ?? false,
      timestamps: timestamps ?? false,
      ...(source.container === "" ? {} : { container: source.container }),
      ...(lines < 0 ? {} : { tailLines: lines }),
      ...(since === undefined ? {} : { sinceSeconds: Math.ceil(since / 1000) }),
      ...(sinceTime === undefined ? {} : { sinceTime }),
      ...(limitBytes === undefined ? {} : { limitBytes }),
      signal,
    });
    const toTerminal = process.stdout.isTTY && !raw;
    // What goes to a file or another program is the bytes that were written.
    const isVerbatim = !hasPrefix && !toTerminal;
    const text = new LogLines({ prefix: hasPrefix ? this.#prefix(source) : "", harmless: toTerminal });
    try {
      for await (const chunk of chunks) await write(isVerbatim ? chunk : text.push(chunk));
      if (!isVerbatim) await write(text.end());
    } catch (caught) {
      if (!signal.aborted) throw caught;
    }
  }

  #prefix({ pod, container }: LogSource): string {
    const paint = palette[this.#colors++ % palette.length]!;
    return `${paint(`[pod/${pod}/${container}]`)} `;
  }
}

/** Each source its own, as far as they go. */
const palette = [colors.cyan, colors.green, colors.magenta, colors.yellow, colors.blue, colors.red];

async function write(text: string | Uint8Array): Promise<void> {
  if (text.length > 0 && !process.stdout.write(text)) await once(process.stdout, "drain");
}

/** @throws InvalidArgumentError */
function parseTime(text: string): Date {
  const timeMs = fromTimestamp(text);
  if (timeMs === undefined) throw new InvalidArgumentError("Write a time such as 2026-01-31T12:00:00Z.");
  return new Date(timeMs);
}
