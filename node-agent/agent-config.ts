import { IkadaError } from "../src/base/errors.js";
import { ConfigSection } from "../src/host/config-file.js";
import type { TlsFiles } from "../src/host/tls.js";
import { signals } from "./core/pressure/signals.js";
import { hardDefaults, parseThresholds } from "./core/pressure/thresholds.js";

/** What one agent is told by its file. docs/operations.md has an example with every field. */
export interface AgentConfig {
  /** The Node's name; equals the CN of the certificate. */
  readonly name: string;
  readonly clusterId: string;
  /** Agent addresses (`host:port`) of the servers; one that answers is enough, it tells the others. */
  readonly servers: readonly string[];
  readonly dataFolder: string;
  /** PEM files; read again for each connection, so that renewed ones are taken without a restart. */
  readonly tls: TlsFiles;
  /** `fake` runs nothing and behaves as if, for trying out the control plane. @default "docker" */
  readonly runtime: "docker" | "fake";
  /** @default "/var/run/docker.sock" */
  readonly dockerSocket: string;
  /** Labels of the Node, taken when it is first made. */
  readonly labels: Readonly<Record<string, string>>;
  /** Overrides of what the machine has: cpu, memory, ephemeral-storage, pods, as quantities. */
  readonly capacity: Readonly<Record<string, string>>;
  /** What is kept for the system, the engine and this agent, and not given to Pods: cpu, memory, ephemeral-storage, as quantities. */
  readonly reserved: Readonly<Record<string, string>>;
  /** When the machine has too little left, and Pods go. */
  readonly eviction: EvictionConfig;
  /** Ports of this machine that Pods may ask for as `hostPort`, the first and the last. @default 1024 to 65535 */
  readonly hostPorts: { readonly first: number; readonly last: number };
  /** Folder of seccomp profiles that Pods may name; none by default. */
  readonly seccompFolder: string | undefined;
  /** Folders of this machine that Pods may reach with hostPath; none by default. */
  readonly hostPaths: readonly string[];
  /** The longest pause between restarts of a container that keeps ending. @default 300 */
  readonly restartSecondsMax: number;
  /** Images that are pulled at once. @default 3 */
  readonly imagePullsMax: number;
  /** When images that Ikada brought and nobody uses are removed: percent of the disk in use, and seconds. @default 85, 80, 120 */
  readonly imageCollection: {
    readonly highPercent: number;
    readonly lowPercent: number;
    readonly ageSecondsMin: number;
  };
  /** Address of this machine that others reach; by default the first IPv4 address that is not loopback. */
  readonly address: string | undefined;
  /** `host:port` of /metrics; none by default. */
  readonly metrics: string | undefined;
  /** Who may read the metrics, by the SHA-256 (hex) of their tokens. */
  readonly users: readonly { readonly name: string; readonly sha256: string }[];
  readonly logLevel: "debug" | "info" | "warn" | "error";
}

export interface EvictionConfig {
  /** By signal: quantities or percentages that have to be available. @default Kubernetes' (core/pressure/thresholds.ts) */
  readonly hard: Readonly<Record<string, string>>;
  /** The same, for thresholds that have to be met for `softGraceSeconds` before a Pod goes. */
  readonly soft: Readonly<Record<string, string>>;
  readonly softGraceSeconds: Readonly<Record<string, number>>;
  /** Once a threshold was met, how much more than it has to be available again. */
  readonly minimumReclaim: Readonly<Record<string, string>>;
  /** How long a condition stays after it was last met. @default 300 */
  readonly pressureHoldSeconds: number;
  /** The longest grace of Pods that go for a soft threshold. @default 30 */
  readonly softPodGraceSecondsMax: number;
}

/** @throws IkadaError Invalid with file and field */
export function readAgentConfig(file: string): AgentConfig {
  const root = ConfigSection.read(file);
  const tls = root.section("tls");
  const listen = root.section("listen", {});
  const hostPorts = root.section("hostPorts", {});
  const collection = root.section("imageCollection", {});
  const config: AgentConfig = {
    name: root.text("name"),
    clusterId: root.text("clusterId"),
    servers: root.texts("servers"),
    dataFolder: root.path("dataFolder"),
    tls: { authority: tls.path("ca"), certificate: tls.path("certificate"), key: tls.path("key") },
    runtime: root.oneOf("runtime", ["docker", "fake"], "docker"),
    dockerSocket: root.path("dockerSocket", "/var/run/docker.sock"),
    labels: root.map("labels"),
    capacity: root.map("capacity"),
    reserved: root.map("reserved"),
    eviction: readEviction(root.section("eviction", {}), file),
    hostPorts: {
      first: hostPorts.integer("first", 1, 65_535, 1_024),
      last: hostPorts.integer("last", 1, 65_535, 65_535),
    },
    seccompFolder: root.has("seccompFolder") ? root.path("seccompFolder") : undefined,
    hostPaths: readHostPaths(root, file),
    restartSecondsMax: root.integer("restartSecondsMax", 1, 300, 300),
    imagePullsMax: root.integer("imagePullsMax", 1, 32, 3),
    imageCollection: {
      highPercent: collection.integer("highPercent", 1, 100, 85),
      lowPercent: collection.integer("lowPercent", 0, 100, 80),
      ageSecondsMin: collection.integer("ageSecondsMin", 0, 31_536_000, 120),
    },
    address: root.has("address") ? root.text("address") : undefined,
    metrics: listen.has("metrics") ? listen.address("metrics") : undefined,
    users: root.has("users") ? root.sections("users").map(readUser) : [],
    logLevel: root.oneOf("logLevel", ["debug", "info", "warn", "error"], "info"),
  };
  for (const section of [root, tls, listen, hostPorts, collection]) section.end();
  if (config.servers.length === 0) throw new IkadaError("Invalid", `${file}: servers: at least one is required`);
  const { highPercent, lowPercent } = config.imageCollection;
  if (lowPercent >= highPercent) {
    throw new IkadaError(
      "Invalid",
      `${file}: imageCollection.lowPercent: it must be below highPercent (${highPercent})`,
    );
  }
  return config;
}

function readEviction(section: ConfigSection, file: string): EvictionConfig {
  const given = section.map("hard");
  const seconds = section.section("softGraceSeconds", {});
  const config: EvictionConfig = {
    // One signal that is given leaves the others as they are.
    hard: { ...hardDefaults, ...given },
    soft: section.map("soft"),
    softGraceSeconds: Object.fromEntries(
      signals.flatMap((signal) => (seconds.has(signal) ? [[signal, seconds.integer(signal, 1, 86_400)] as const] : [])),
    ),
    minimumReclaim: section.map("minimumReclaim"),
    pressureHoldSeconds: section.integer("pressureHoldSeconds", 0, 86_400, 300),
    softPodGraceSecondsMax: section.integer("softPodGraceSecondsMax", 0, 3_600, 30),
  };
  for (const one of [section, seconds]) one.end();
  parseThresholds(config, `${file}: eviction`);
  return config;
}

function readHostPaths(root: ConfigSection, file: string): readonly string[] {
  const paths = root.texts("hostPaths", []);
  const wrong = paths.find((path) => !path.startsWith("/"));
  if (wrong !== undefined) throw new IkadaError("Invalid", `${file}: hostPaths: "${wrong}" is not an absolute path`);
  return paths;
}

function readUser(section: ConfigSection): AgentConfig["users"][number] {
  const user = { name: section.text("name"), sha256: section.text("sha256") };
  // The servers' files carry a role too; here every user may only read.
  if (section.has("role")) section.text("role");
  section.end();
  return user;
}
