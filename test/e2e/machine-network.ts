import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";

/** What a run leaves behind when it is killed is found by this name and the number of the process that made it. */
const namePattern = /^ika([0-9]+)m[0-9]+$/;
const bridge = "bridge";

/**
 * Stand-ins for machines on one kernel: a network namespace each, joined by a bridge in one more, to which this one, where the
 * tests' clients are, has a link. The machine's own firewall, as an engine sets one up, has no say there. Packets between
 * machines are dropped by nftables in the receiving namespace, so that each direction can be cut alone. Needs root, `ip` and `nft`.
 */
export class MachineNetwork {
  /** Address of each machine, by number from 1 on less one. */
  readonly addresses: readonly string[];
  /** The namespace of the bridge, and the link to it. */
  readonly #hub: string;
  readonly #uplink: string;
  readonly #names: readonly string[];

  private constructor(names: readonly string[], addresses: readonly string[]) {
    this.#hub = `ika${process.pid}m0`;
    this.#uplink = uplinkOf(process.pid);
    this.#names = names;
    this.addresses = addresses;
  }

  /** @throws Error when this process is not root, or `ip` or `nft` are missing */
  static create(count: number): MachineNetwork {
    removeLeftovers();
    const subnet = freeSubnet();
    const numbers = Array.from({ length: count }, (_, at) => at + 1);
    const network = new MachineNetwork(
      numbers.map((number) => `ika${process.pid}m${number}`),
      numbers.map((number) => `${subnet}.${number}`),
    );
    try {
      network.#addHub(`${subnet}.254/24`);
      for (const number of numbers) network.#addMachine(number);
    } catch (caught) {
      network.close();
      throw caught;
    }
    return network;
  }

  /** Runs a command on a machine: words to put in front of it. */
  prefix(machine: number): readonly string[] {
    return ["ip", "netns", "exec", this.#name(machine)];
  }

  /** What `from` sends to `to` is lost from now on; the other direction is not touched. */
  cut(from: number, to: number): void {
    this.#rule(to, "in", `ip saddr ${this.#address(from)} drop`);
  }

  /** A machine reaches nobody, its clients included, and hears nobody. Nobody is told. */
  isolate(machine: number): void {
    this.#rule(machine, "in", 'iifname != "lo" drop');
    this.#rule(machine, "out", 'oifname != "lo" drop');
  }

  /** This share of the packets that reach a machine is lost. */
  lose(machine: number, percent: number): void {
    this.#rule(machine, "in", `iifname != "lo" numgen random mod 100 < ${percent} drop`);
  }

  /** Nothing is dropped at this machine any more. */
  heal(machine: number): void {
    this.#nft(machine, "flush table inet ikada");
  }

  close(): void {
    for (const name of [...this.#names, this.#hub]) removeNamespace(name);
    removeLink(this.#uplink);
  }

  #addHub(address: string): void {
    const [hub, uplink] = [this.#hub, this.#uplink];
    ip("netns", "add", hub);
    ip("-n", hub, "link", "add", bridge, "type", "bridge");
    ip("-n", hub, "link", "set", bridge, "up");
    ip("link", "add", uplink, "type", "veth", "peer", "name", "clients", "netns", hub);
    ip("-n", hub, "link", "set", "clients", "master", bridge, "up");
    ip("address", "add", address, "dev", uplink);
    ip("link", "set", uplink, "up");
  }

  #addMachine(number: number): void {
    const name = this.#name(number);
    const [inside, outside] = ["eth0", `m${number}`];
    ip("netns", "add", name);
    ip("-n", this.#hub, "link", "add", outside, "type", "veth", "peer", "name", inside, "netns", name);
    ip("-n", this.#hub, "link", "set", outside, "master", bridge, "up");
    ip("-n", name, "address", "add", `${this.#address(number)}/24`, "dev", inside);
    ip("-n", name, "link", "set", inside, "up");
    ip("-n", name, "link", "set", "lo", "up");
    this.#nft(
      number,
      "table inet ikada { chain in { type filter hook input priority 0; }; chain out { type filter hook output priority 0; }; }",
    );
  }

  #rule(machine: number, chain: "in" | "out", rule: string): void {
    this.#nft(machine, `add rule inet ikada ${chain} ${rule}`);
  }

  #nft(machine: number, commands: string): void {
    ip("netns", "exec", this.#name(machine), "nft", commands);
  }

  #name(machine: number): string {
    return this.#names[machine - 1]!;
  }

  #address(machine: number): string {
    return this.addresses[machine - 1]!;
  }
}

function uplinkOf(pid: number | string): string {
  return `ika${pid}b`;
}

/** Namespaces and links of runs whose process is gone. */
function removeLeftovers(): void {
  const names = existsSync("/run/netns") ? readdirSync("/run/netns") : [];
  for (const name of names) {
    const pid = namePattern.exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    removeNamespace(name);
    removeLink(uplinkOf(pid));
  }
}

function removeNamespace(name: string): void {
  if (existsSync(`/run/netns/${name}`)) ip("netns", "delete", name);
}

function removeLink(name: string): void {
  if (existsSync(`/sys/class/net/${name}`)) ip("link", "delete", name);
}

/** Three numbers of a private /24 that this machine has no route to yet. */
function freeSubnet(): string {
  const routes = ip("route", "show");
  for (let third = 1; third < 255; third++) {
    const subnet = `10.${200 + (process.pid % 50)}.${third}`;
    if (!routes.includes(`${subnet}.`)) return subnet;
  }
  throw new Error("no free subnet for the test's machines");
}

function ip(...words: string[]): string {
  return execFileSync("ip", words, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
