import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureBusyboxImage } from "../../deploy/local/busybox-image.js";
import { sandboxImageReference } from "../../node-agent/docker/sandbox-image.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import { OwnEngine } from "../../test/e2e/own-engine.js";
import { machineLoad, median } from "../measure.js";
import { processorUs } from "../processor-time.js";
import type { Made, PodsContestant } from "./contestant.js";
import { IkadaPods } from "./ikada.js";
import { PlainPods } from "./plain.js";
import { atRest, type Rest } from "./rest.js";
import { SwarmPods } from "./swarm.js";

/** `npm run bench -- pods`: what docs/performance.md explains. */

export interface PodsBenchOptions {
  readonly pods: number;
  readonly rounds: number;
  readonly servers: number;
  /** 0: nothing is measured at rest. */
  readonly restSeconds: number;
  readonly swarm: boolean;
  readonly profileFolder: string | undefined;
}

const image = "ikada-bench/pods:1";
const command = ["/bin/sleep", "100000"];
/** Pods that plain calls make at once: the fastest of these is what others are compared with. */
const parallelisms = [4, 8, 16];

/** @throws Error when this machine can't run an engine of the bench's own */
export async function runPodsBench(options: PodsBenchOptions): Promise<void> {
  const missing = OwnEngine.whatIsMissing();
  if (missing !== undefined) throw new Error(missing);
  if (options.profileFolder !== undefined) mkdirSync(options.profileFolder, { recursive: true });
  const loadBefore = machineLoad();
  const folder = mkdtempSync(join(tmpdir(), "ikada-bench-words-"));
  // Undone in reverse order.
  const open: (() => Promise<void>)[] = [async () => rmSync(folder, { recursive: true })];
  try {
    const bench = await Bench.start(options, folder, open);
    await bench.rounds();
    await bench.rest();
    bench.print();
    process.stdout.write(`Before: ${loadBefore}; after: ${machineLoad()}. Compare figures of one run, not of two.\n`);
  } finally {
    for (const close of open.toReversed()) await close();
  }
}

interface RestRow extends Rest {
  readonly label: string;
}

class Bench {
  readonly #options: PodsBenchOptions;
  readonly #engine: OwnEngine;
  readonly #ikada: IkadaPods;
  readonly #plain: PlainPods;
  readonly #swarm: { readonly engine: OwnEngine; readonly pods: SwarmPods } | undefined;
  readonly #made = new Map<PodsContestant, Made[]>();
  /** Milliseconds of processor time for each Pod, by whose it is. */
  readonly #processor = new Map<string, number[]>();
  readonly #rest: RestRow[];
  #calls: ReadonlyMap<string, number> = new Map();

  private constructor(
    options: PodsBenchOptions,
    parts: Pick<Started, "engine" | "ikada" | "plain" | "swarm">,
    rest: RestRow[],
  ) {
    this.#options = options;
    this.#engine = parts.engine;
    this.#ikada = parts.ikada;
    this.#plain = parts.plain;
    this.#swarm = parts.swarm;
    this.#rest = rest;
  }

  static async start(options: PodsBenchOptions, folder: string, open: (() => Promise<void>)[]): Promise<Bench> {
    const rest: RestRow[] = [];
    const started = await start(options, folder, open, rest);
    return new Bench(options, started, rest);
  }

  async rounds(): Promise<void> {
    const contestants = [this.#ikada, this.#plain, ...(this.#swarm === undefined ? [] : [this.#swarm.pods])];
    for (let round = 1; round <= this.#options.rounds; round += 1) {
      say(`round ${round} of ${this.#options.rounds}`);
      // Who begins changes.
      const shift = (round - 1) % contestants.length;
      for (const one of [...contestants.slice(shift), ...contestants.slice(0, shift)]) {
        const made = await (one === this.#ikada ? this.#makeIkada() : one.make(this.#options.pods));
        say(`${one.name}: ${seconds(made.runningMs)} s, ${seconds(made.toldMs)} s until it was told`);
        this.#made.set(one, [...(this.#made.get(one) ?? []), made]);
        await one.remove();
      }
    }
  }

  async rest(): Promise<void> {
    const { restSeconds, pods } = this.#options;
    if (restSeconds === 0) return;
    say("at rest");
    await this.#ikada.make(pods);
    const groups = [[this.#ikada.agentPid], this.#ikada.serverPids, this.#engine.pids];
    const labels = ["Ikada's agent", `Ikada's servers (${this.#options.servers})`, `engine, ${2 * pods} containers`];
    const found = await atRest(groups, restSeconds);
    this.#rest.unshift(...found.map(({ megabytes, percent }, at) => ({ label: labels[at]!, megabytes, percent })));
    await this.#ikada.remove();
    if (this.#swarm === undefined) return;
    await this.#swarm.pods.make(pods);
    const [swarm] = await atRest([this.#swarm.engine.pids], restSeconds);
    this.#rest.push({ label: `engine in a swarm, ${pods} containers`, ...swarm! });
    await this.#swarm.pods.remove();
  }

  print(): void {
    const { pods, rounds } = this.#options;
    const cells = ["running s", "told s", "ms a Pod", "beside plain"].map((cell) => cell.padStart(14)).join("");
    process.stdout.write(`\n${`${pods} Pods`.padEnd(34)}${cells}\n`);
    const toldOf = (one: PodsContestant): number => median(this.#made.get(one)!.map(({ toldMs }) => toldMs));
    const plain = toldOf(this.#plain);
    for (const [one, made] of this.#made) {
      const told = toldOf(one);
      const shown = [
        seconds(median(made.map(({ runningMs }) => runningMs))),
        seconds(told),
        (told / pods).toFixed(0),
        (told / plain).toFixed(2),
      ];
      process.stdout.write(`${one.name.padEnd(34)}${shown.map((cell) => cell.padStart(14)).join("")}\n`);
    }
    const processor = [...this.#processor].map(([whose, each]) => `${whose} ${median(each).toFixed(1)}`);
    const calls = [...this.#calls]
      .filter(([, count]) => count > 0)
      .map(([kind, count]) => `${(count / pods).toFixed(2)} ${kind}`);
    const sum = [...this.#calls.values()].reduce((all, count) => all + count, 0) / pods;
    const lines = [
      `Ikada's agent, calls to the engine for each Pod: ${sum.toFixed(2)} (${calls.join(", ")}).`,
      `Processor time for each of Ikada's Pods, in ms: ${processor.join(", ")}.`,
      `Medians of ${rounds} rounds. Ikada: ${this.#options.servers} server(s), one agent, one Deployment; a Pod is a sandbox and a container. A replica of Swarm is a container.`,
    ];
    process.stdout.write(`\n${lines.join("\n")}\n`);
    if (this.#rest.length > 0)
      process.stdout.write(`\n${"at rest".padEnd(46)}${"MB".padStart(8)}${"% of a core".padStart(14)}\n`);
    for (const { label, megabytes, percent } of this.#rest)
      process.stdout.write(
        `${label.padEnd(46)}${megabytes.toFixed(0).padStart(8)}${percent.toFixed(2).padStart(14)}\n`,
      );
  }

  async #makeIkada(): Promise<Made> {
    const { pods } = this.#options;
    const groups = { agent: [this.#ikada.agentPid], servers: this.#ikada.serverPids, engine: this.#engine.pids };
    const callsBefore = await this.#ikada.engineCalls();
    const before = Object.entries(groups).map(([whose, pids]) => [whose, processorUs(pids)] as const);
    const made = await this.#ikada.make(pods);
    for (const [whose, us] of before) {
      const usedMs = (processorUs(groups[whose as keyof typeof groups]) - us) / 1000 / pods;
      this.#processor.set(whose, [...(this.#processor.get(whose) ?? []), usedMs]);
    }
    const calls = await this.#ikada.engineCalls();
    this.#calls = new Map([...calls].map(([kind, count]) => [kind, count - (callsBefore.get(kind) ?? 0)]));
    return made;
  }
}

interface Started {
  readonly engine: OwnEngine;
  readonly ikada: IkadaPods;
  readonly plain: PlainPods;
  readonly swarm: { readonly engine: OwnEngine; readonly pods: SwarmPods } | undefined;
}

/** Everything is warm when it returns. */
async function start(
  options: PodsBenchOptions,
  folder: string,
  open: (() => Promise<void>)[],
  rest: RestRow[],
): Promise<Started> {
  const { pods, servers, profileFolder } = options;
  const engine = await startEngine(open);
  const ikada = await IkadaPods.start({ engine, servers, image, command, profileFolder });
  open.push(() => ikada.close());
  say("warming up");
  await ikada.make(pods);
  const pod = await ikada.aPod();
  await ikada.remove();
  const plain = await fastestPlain(engine, pod, folder, pods);
  if (!options.swarm) return { engine, ikada, plain, swarm: undefined };
  const swarmEngine = await startEngine(open);
  const { docker } = swarmEngine;
  await docker.loadImage(await engine.docker.getImage(sandboxImageReference).get(), {});
  if (options.restSeconds > 0) {
    say("the second engine at rest, without a swarm");
    // As many containers as a service of so many replicas.
    const containers = new PlainPods({ docker, pod, folder, atOnce: 4 });
    await containers.make(Math.round(pods / 2));
    const [without] = await atRest([swarmEngine.pids], options.restSeconds);
    rest.push({ label: `engine without a swarm, ${pods} containers`, ...without! });
    await containers.remove();
  }
  const swarm = await SwarmPods.start(swarmEngine, image, command);
  open.push(() => swarm.close());
  await swarm.make(pods);
  await swarm.remove();
  return { engine, ikada, plain, swarm: { engine: swarmEngine, pods: swarm } };
}

async function startEngine(open: (() => Promise<void>)[]): Promise<OwnEngine> {
  const engine = await OwnEngine.start({ liveRestore: false });
  open.push(() => engine.close());
  await ensureBusyboxImage(engine.docker, image);
  return engine;
}

async function fastestPlain(engine: OwnEngine, pod: Pod, folder: string, count: number): Promise<PlainPods> {
  let best: { readonly plain: PlainPods; readonly toldMs: number } | undefined;
  for (const atOnce of parallelisms) {
    const plain = new PlainPods({ docker: engine.docker, pod, folder, atOnce });
    const { toldMs } = await plain.make(count);
    say(`${plain.name}: ${seconds(toldMs)} s`);
    await plain.remove();
    if (best === undefined || toldMs < best.toldMs) best = { plain, toldMs };
  }
  return best!.plain;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(2);
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
