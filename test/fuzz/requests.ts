import { gzipSync } from "node:zlib";
import { SeededRandom } from "../sim/random.js";
import { sensibleMessage } from "./messages.js";
import { replicasMax, tamedJson } from "./objects.js";
import { oddText } from "./odd-values.js";
import type { ApiMethod } from "./protos.js";
import { bend, encodeFields, type WireField } from "./wire.js";

export type Port = "api" | "agents" | "replicas" | "raft";
/** Whose certificate the connection shows. `foreign`: of another authority. */
export type Identity = "none" | "node" | "server" | "user" | "foreign";

/** What is done to the bytes once they are encoded. */
export type Damage =
  | { readonly type: "flip" | "truncate"; readonly at: number }
  | { readonly type: "length"; readonly length: number }
  | { readonly type: "compressed"; readonly encoding: string; readonly bytes: number }
  | { readonly type: "twice" | "nothing" | "halfFrame" };

/** One call, as data: it can be sent again, and made smaller. */
export interface Request {
  readonly number: number;
  /** Of `servers`. */
  readonly server: number;
  readonly port: Port;
  readonly identity: Identity;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly messages: readonly (readonly WireField[])[];
  readonly damage?: Damage;
  /** The caller ends its half at once. */
  readonly ends: boolean;
  /** Answers may go on for ever. */
  readonly streams: boolean;
}

export interface RequestMaker {
  readonly seed: number;
  readonly methods: readonly ApiMethod[];
  readonly servers: number;
  readonly token: string;
}

/** The request of this number: the same for the same seed, whatever was asked for before. */
export function makeRequest(maker: RequestMaker, number: number): Request {
  const random = randomOf(maker.seed, number);
  const method = random.pick(weighted(maker.methods));
  const port = portOf(method.service);
  const identity = identityFor(port, random);
  const isGuarded = guardedServices.has(method.path);
  const token = isGuarded ? (random.chance(0.5) ? "wrong" : undefined) : tokenFor(maker.token, random);
  const streams = method.requestStream || method.responseStream;
  const count = method.requestStream ? random.pick([0, 1, 1, 2, 4]) : 1;
  const messages = Array.from({ length: count }, () => {
    let fields = sensibleMessage(method.request, random);
    for (let times = random.pick([0, 0, 0, 1, 1, 3]); times > 0; times -= 1) fields = bend(fields, random);
    return method.path === scalePath ? fields.map(fewReplicas) : fields;
  });
  const damage = method.path === scalePath || !random.chance(0.12) ? undefined : damageOf(random);
  return {
    number,
    server: random.int(maker.servers),
    port,
    identity,
    path: random.chance(0.02) ? oddPath(method.path, random) : method.path,
    headers: headersFor(port === "api" ? token : undefined, damage, random),
    messages,
    ...(damage && { damage }),
    ends: !method.requestStream || random.chance(0.5),
    streams,
  };
}

/** A plain request to apply an object that a manifest has brought, under its number. */
export function applyOf(maker: RequestMaker, number: number, object: object): Request {
  const json = Buffer.from(tamedJson(object));
  return {
    number,
    server: number % maker.servers,
    port: "api",
    identity: "none",
    path: "/ikada.api.v1.Resources/Apply",
    headers: { "grpc-timeout": "2S", authorization: `Bearer ${maker.token}` },
    messages: [[{ number: 1, type: 2, value: [{ number: 8, type: 2, value: json }] }]],
    ends: true,
    streams: false,
  };
}

export function randomOf(seed: number, number: number): SeededRandom {
  return new SeededRandom(seed * 2 ** 20 + number);
}

/** The frames of gRPC, as they go on the connection. */
export function framesOf({ messages, damage }: Request): Buffer {
  const bodies = messages.map((fields) => encodeFields(fields));
  if (damage === undefined) return Buffer.concat(bodies.map((body) => frame(body)));
  const [first = Buffer.alloc(0), ...rest] = bodies;
  const others = rest.map((body) => frame(body));
  switch (damage.type) {
    case "flip": {
      const flipped = Buffer.from(first);
      if (flipped.length > 0) flipped[damage.at % flipped.length]! ^= 1 << (damage.at % 8);
      return Buffer.concat([frame(flipped), ...others]);
    }
    case "truncate":
      return Buffer.concat([frame(first.subarray(0, damage.at % (first.length + 1))), ...others]);
    case "length":
      return Buffer.concat([frame(first, 0, damage.length), ...others]);
    case "compressed": {
      if (damage.encoding === "bomb") return Buffer.concat([frame(bomb(damage.bytes), 1), ...others]);
      const content = damage.encoding === "gzip" ? gzipSync(first, { level: 1 }) : first;
      return Buffer.concat([frame(content, 1), ...others]);
    }
    case "twice":
      return Buffer.concat([frame(first), frame(first), ...others]);
    case "nothing":
      return Buffer.alloc(0);
    default:
      return frame(first).subarray(0, 3);
  }
}

/** Zeros, in a thousandth of their size. */
function bomb(bytes: number): Buffer {
  const known = bombs.get(bytes) ?? gzipSync(Buffer.alloc(bytes), { level: 9 });
  bombs.set(bytes, known);
  return known;
}

const bombs = new Map<number, Buffer>();

function frame(body: Uint8Array, flag = 0, length = body.length): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(length >>> 0, 1);
  return Buffer.concat([head, body]);
}

const scalePath = "/ikada.api.v1.Resources/Scale";
/** Done as told they would change who leads, or who is a member, which is no fault. So they come from those who may not. */
const guardedServices = new Set(["/ikada.api.v1.Cluster/TransferLeadership", "/ikada.api.v1.Cluster/ChangeMembers"]);

/** What costs a slot for longer, or is refused at the door, comes less often. */
function weighted(methods: readonly ApiMethod[]): readonly ApiMethod[] {
  const known = weights.get(methods);
  if (known) return known;
  const list = methods.flatMap((method) => {
    const isObject = method.service === "ikada.api.v1.Resources";
    const times = isObject ? (method.responseStream ? 3 : 12) : method.service.startsWith("ikada.api") ? 2 : 1;
    return Array.from({ length: times }, () => method);
  });
  weights.set(methods, list);
  return list;
}

const weights = new WeakMap<readonly ApiMethod[], readonly ApiMethod[]>();

function portOf(service: string): Port {
  if (service === "ikada.agent.v1.Agent") return "agents";
  if (service === "ikada.agent.v1.Replicas") return "replicas";
  return service.startsWith("ikada.raft.") ? "raft" : "api";
}

/** At the agents' port the node's own is the right one; elsewhere none is. */
function identityFor(port: Port, random: SeededRandom): Identity {
  if (port === "api") return "none";
  if (random.chance(0.01)) return random.pick(["none", "foreign"]);
  if (port === "agents") return random.pick(["node", "node", "server", "user"]);
  return random.pick(["node", "user"]);
}

function tokenFor(token: string, random: SeededRandom): string | undefined {
  if (random.chance(0.94)) return token;
  if (random.chance(0.15)) return undefined;
  return random.pick(["", "wrong", token.slice(1), `${token}x`, "é".repeat(20), "a".repeat(5_000)]);
}

function headersFor(token: string | undefined, damage: Damage | undefined, random: SeededRandom): Request["headers"] {
  const headers: Record<string, string | readonly string[]> = { "grpc-timeout": "2S" };
  if (token !== undefined) headers["authorization"] = `Bearer ${latin(token)}`;
  if (damage?.type === "compressed") headers["grpc-encoding"] = damage.encoding === "bomb" ? "gzip" : damage.encoding;
  if (!random.chance(0.04)) return headers;
  switch (random.int(7)) {
    case 0:
      return { ...headers, "grpc-timeout": random.pick(["1n", "0m", "99999999H", "-1S", "x", "1".repeat(40)]) };
    case 1:
      return {
        ...headers,
        "content-type": random.pick(["application/grpc+json", "text/plain", "application/grpc;x=y"]),
      };
    case 2:
      return { ...headers, "x-bin": "%%%", "ikada-error-bin": latin(oddText(random)).slice(0, 2_000) };
    case 3:
      return { ...headers, "ikada-repeat": "1" };
    case 4:
      return { ...headers, "grpc-encoding": random.pick(["gzip", "deflate", "identity", "br", "x".repeat(100)]) };
    case 5:
      return { ...headers, "x-long": "a".repeat(random.pick([1_000, 8_000, 15_000])) };
    default:
      return { ...headers, authorization: `${random.pick(["Basic", "bearer", "Bearer  "])} ${latin(token ?? "x")}` };
  }
}

/** What a header may carry. */
function latin(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?").trim();
}

function oddPath(path: string, random: SeededRandom): string {
  return random.pick([
    `${path}x`,
    path.toLowerCase(),
    "/",
    "/a",
    "/__proto__/constructor",
    `${path}/`,
    "/x".repeat(2_000),
  ]);
}

function damageOf(random: SeededRandom): Damage {
  switch (random.int(8)) {
    case 0:
    case 1:
      return { type: "flip", at: random.uint32() };
    case 2:
      return { type: "truncate", at: random.uint32() };
    case 3:
      return { type: "length", length: random.pick([0, 1, 5_000_000, 2 ** 31, 2 ** 32 - 1]) };
    case 4:
    case 5:
      return {
        type: "compressed",
        encoding: random.pick(["gzip", "bomb", "deflate", "identity", "br"]),
        bytes: random.pick([4_000_000, 40_000_000]),
      };
    default:
      return { type: random.pick(["twice", "nothing", "halfFrame"]) };
  }
}

function fewReplicas(field: WireField): WireField {
  if (field.number !== 2 || typeof field.value !== "bigint") return field;
  return BigInt.asIntN(32, field.value) > replicasMax ? { ...field, value: BigInt(replicasMax) } : field;
}
