import type Dockerode from "dockerode";
import { IkadaError } from "../../src/base/errors.js";
import type { Alteration } from "../core/runtime.js";
import { engineDeadlines, type Engine } from "./engine.js";
import { labelNames } from "./ownership.js";

/** What `docker update` can change of a container. */
const changeable = [
  "BlkioWeight",
  "CpuPeriod",
  "CpuQuota",
  "CpuRealtimePeriod",
  "CpuRealtimeRuntime",
  "CpuShares",
  "CpusetCpus",
  "CpusetMems",
  "Memory",
  "MemoryReservation",
  "MemorySwap",
  "NanoCpus",
  "PidsLimit",
] as const;

type Limits = Readonly<Partial<Record<(typeof changeable)[number], number | string>>>;

/** The limits that a container is made with, as its label keeps them: people can't change labels of a container that is there. */
export function limitsLabel(host: Dockerode.HostConfig): string {
  return JSON.stringify(limitsIn(host));
}

/** The one network of sandboxes that have one. */
const podNetwork = "bridge";

/**
 * What people did to running containers by hand, and the way back. What does not go back the first time is told as irrevocable if this
 * process has seen the container without it; else the engine may never have taken it, and a new container would be no better.
 */
export class Alterations {
  readonly #engine: Engine;
  readonly #seenWell = new Set<string>();
  readonly #stubborn = new Set<string>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  look(inspected: Dockerode.ContainerInspectInfo): Alteration | undefined {
    const { Id: id, State: state } = inspected;
    if (!state.Running) return undefined;
    const found = differences(inspected);
    if (found.length === 0) {
      this.#seenWell.add(id);
      this.#stubborn.delete(id);
      return undefined;
    }
    const what = found.join(", ");
    if (!this.#stubborn.has(id)) return { what, isRevocable: true };
    return this.#seenWell.has(id) ? { what, isRevocable: false } : undefined;
  }

  forget(id: string): void {
    this.#seenWell.delete(id);
    this.#stubborn.delete(id);
  }

  /** Of ids that are still there. */
  keepOnly(present: ReadonlySet<string>): void {
    for (const id of [...this.#seenWell, ...this.#stubborn]) if (!present.has(id)) this.forget(id);
  }

  async restore(id: string): Promise<void> {
    const before = await this.#inspect(id);
    const what = differences(before);
    const container = this.#engine.docker.getContainer(id);
    const call = (name: string, run: () => Promise<unknown>): Promise<unknown> =>
      this.#engine.call(`${name} ${id.slice(0, 12)}`, engineDeadlines.startMs, run);
    // Before the rest: the engine changes no limit of what is frozen.
    if (what.includes(paused)) await call("unpause", () => container.unpause());
    if (what.includes(network)) await this.#reconnect(before, call);
    if (what.some((name) => name !== paused && name !== network)) {
      try {
        await call("update", () => container.update(wayBack(before)));
      } catch (caught) {
        // It takes the container's whole form or nothing, and says so with these.
        const { reason } = IkadaError.from(caught);
        if (reason !== "Conflict" && reason !== "Invalid" && reason !== "Internal") throw caught;
      }
    }
    if (differences(await this.#inspect(id)).length > 0) this.#stubborn.add(id);
  }

  async #reconnect(
    { Id: id, NetworkSettings: { Networks: networks } }: Dockerode.ContainerInspectInfo,
    call: (name: string, run: () => Promise<unknown>) => Promise<unknown>,
  ): Promise<void> {
    const { docker } = this.#engine;
    for (const name of Object.keys(networks).filter((one) => one !== podNetwork))
      await call(`disconnect ${name} from`, () => docker.getNetwork(name).disconnect({ Container: id, Force: true }));
    if (networks[podNetwork] === undefined)
      await call(`connect ${podNetwork} to`, () => docker.getNetwork(podNetwork).connect({ Container: id }));
  }

  #inspect(id: string): Promise<Dockerode.ContainerInspectInfo> {
    return this.#engine.call(`inspect ${id.slice(0, 12)}`, engineDeadlines.readMs, (abortSignal) =>
      this.#engine.docker.getContainer(id).inspect({ abortSignal }),
    );
  }
}

const paused = "paused";
const network = "network";
const restartPolicy = "RestartPolicy";

/** In what a running container is not as it was made. */
function differences(inspected: Dockerode.ContainerInspectInfo): readonly string[] {
  const { State: state, HostConfig: host, NetworkSettings: settings } = inspected;
  const made = madeWith(inspected);
  const networks = Object.keys(settings.Networks ?? {});
  const hasNetwork = host.NetworkMode === podNetwork || host.NetworkMode === "default";
  const found: string[] = [];
  if (state.Paused) found.push(paused);
  if (hasNetwork && (networks.length !== 1 || networks[0] !== podNetwork)) found.push(network);
  // Of a container from before the label nothing is known.
  if (made === undefined) return found;
  const now = limitsIn(host);
  found.push(...changeable.filter((name) => now[name] !== made[name]));
  if ((host.RestartPolicy?.Name || "no") !== "no") found.push(restartPolicy);
  return found;
}

function madeWith({ Config: config }: Dockerode.ContainerInspectInfo): Limits | undefined {
  const text = config.Labels[labelNames.limits];
  if (text === undefined) return undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null ? parsed : undefined;
  } catch {
    // Not written by an agent.
    return undefined;
  }
}

/** Without those that limit nothing. */
function limitsIn(host: Dockerode.HostConfig): Limits {
  const found: Record<string, number | string> = {};
  for (const name of changeable) {
    const value = host[name] as number | string | null | undefined;
    const isNone = value === undefined || value === null || value === "" || value === 0 || value === -1;
    if (!isNone && value !== noLimit[name]) found[name] = value;
  }
  // The period alone limits nothing.
  if (found["CpuQuota"] === undefined) delete found["CpuPeriod"];
  return found;
}

/** What `docker update` is to be told. */
function wayBack(inspected: Dockerode.ContainerInspectInfo): object {
  const made = madeWith(inspected) ?? {};
  const now = limitsIn(inspected.HostConfig);
  const lifted = changeable.filter((name) => made[name] === undefined && now[name] !== undefined && noLimit[name]);
  return {
    ...Object.fromEntries(lifted.map((name) => [name, noLimit[name]])),
    ...made,
    RestartPolicy: { Name: "no" },
  };
}

/** What limits nothing, and `docker update` takes: 0 means to it that nothing changes. The others can't be lifted. */
const noLimit: Limits = {
  CpuQuota: -1,
  /** The kernel's weight of who has none. */
  CpuShares: 1024,
  /** More than any machine has; with swap the kernel takes none that is not below. */
  Memory: 2 ** 50,
  MemoryReservation: -1,
  MemorySwap: 2 ** 50,
  PidsLimit: -1,
};
