import { IkadaError } from "./base/errors.js";
import { limits } from "./base/limits.js";
import { ConfigSection } from "./host/config-file.js";

/** One control-plane replica, as all others know it. */
export interface MemberConfig {
  /** From 1; never used again for another machine. */
  readonly id: number;
  /** The CN of its certificate. */
  readonly name: string;
  /** `host:port` at which each of its listeners is reached. */
  readonly api: string;
  readonly agents: string;
  readonly replicas: string;
  readonly raft: string;
}

/** What one server process is told by its file. docs/operations.md has an example with every field. */
export interface ServerConfig {
  readonly id: number;
  readonly name: string;
  readonly clusterId: string;
  readonly dataFolder: string;
  /** All first members, this one among them; the same list on each. With `join`, this one and any others that are known. */
  readonly members: readonly MemberConfig[];
  /** This server starts with nothing, and waits until `ikada cluster add` brings it into a cluster that is there. */
  readonly join: boolean;
  /** Addresses to listen on; by default those of its own member entry. */
  readonly listen: {
    readonly api: string;
    readonly agents: string;
    readonly replicas: string;
    readonly raft: string;
    readonly metrics: string | undefined;
  };
  /** PEM files. */
  readonly tls: { readonly ca: string; readonly certificate: string; readonly key: string };
  /** Users, by the SHA-256 (hex) of their tokens or by certificates with their names. */
  readonly users: readonly {
    readonly name: string;
    readonly role: "admin" | "view";
    readonly sha256: string | undefined;
  }[];
  readonly logLevel: "debug" | "info" | "warn" | "error";
  readonly store: {
    /** How long history is kept, in hours. */
    readonly historyHours: number;
    /** What it may take on disk; it is kept for a shorter time then. */
    readonly historyMegabytes: number;
    /** What the live objects may take in memory; above it none is created. */
    readonly quotaMegabytes: number;
    /** The same for the keys of etcd's services. */
    readonly etcdQuotaMegabytes: number;
  };
  readonly scheduler: {
    /** `spread` fills all nodes alike, `binpack` one after the other. */
    readonly profile: "spread" | "binpack";
  };
  /** Length of a Raft tick in milliseconds; an election takes 6 to 12 of them. */
  readonly tickMs: number;
}

/** @throws IkadaError Invalid with file and field */
export function readServerConfig(file: string): ServerConfig {
  const root = ConfigSection.read(file);
  const id = root.integer("id", 1, 1023);
  const members = root.sections("members").map(readMember);
  const own = members.find((member) => member.id === id);
  if (!own) throw new IkadaError("Invalid", `${file}: members: none has the id ${id} of this server`);
  const join = root.boolean("join", false);
  checkUnique(file, members, join);
  const listen = root.section("listen", {});
  const tls = root.section("tls");
  const store = root.section("store", {});
  const scheduler = root.section("scheduler", {});
  const config: ServerConfig = {
    id,
    name: own.name,
    clusterId: root.text("clusterId"),
    dataFolder: root.path("dataFolder"),
    members,
    join,
    listen: {
      api: listen.address("api", own.api),
      agents: listen.address("agents", own.agents),
      replicas: listen.address("replicas", own.replicas),
      raft: listen.address("raft", own.raft),
      metrics: listen.has("metrics") ? listen.address("metrics") : undefined,
    },
    tls: { ca: tls.path("ca"), certificate: tls.path("certificate"), key: tls.path("key") },
    users: root.sections("users").map(readUser),
    logLevel: root.oneOf("logLevel", ["debug", "info", "warn", "error"], "info"),
    store: {
      historyHours: store.integer("historyHours", 1, 24 * 365, 24),
      historyMegabytes: store.integer("historyMegabytes", 16, 1024 * 1024, 1024),
      quotaMegabytes: store.integer("quotaMegabytes", 16, 64 * 1024, 1024),
      etcdQuotaMegabytes: store.integer("etcdQuotaMegabytes", 1, 64 * 1024, 256),
    },
    scheduler: { profile: scheduler.oneOf("profile", ["spread", "binpack"], "spread") },
    tickMs: root.integer("tickMs", 10, 5_000, limits.tickMs),
  };
  for (const section of [root, listen, tls, store, scheduler]) section.end();
  return config;
}

function readMember(section: ConfigSection): MemberConfig {
  const member: MemberConfig = {
    id: section.integer("id", 1, 1023),
    name: section.text("name"),
    api: section.address("api"),
    agents: section.address("agents"),
    replicas: section.address("replicas"),
    raft: section.address("raft"),
  };
  section.end();
  return member;
}

function readUser(section: ConfigSection): ServerConfig["users"][number] {
  const user = {
    name: section.text("name"),
    role: section.oneOf("role", ["admin", "view"]),
    sha256: section.has("sha256") ? section.text("sha256") : undefined,
  };
  section.end();
  return user;
}

function checkUnique(file: string, members: readonly MemberConfig[], join: boolean): void {
  if (!join && members.length % 2 === 0) {
    throw new IkadaError(
      "Invalid",
      `${file}: members: ${members.length} members stand no more failures than ${members.length - 1}; use an odd number`,
    );
  }
  for (const field of ["id", "name", "raft"] as const) {
    const values = members.map((member) => member[field]);
    const twice = values.find((value, index) => values.indexOf(value) !== index);
    if (twice !== undefined) throw new IkadaError("Invalid", `${file}: members: two have the ${field} ${twice}`);
  }
}
