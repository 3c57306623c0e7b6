import type protobuf from "protobufjs";
import { kinds } from "../../src/api/registry.js";
import type { SeededRandom } from "../sim/random.js";
import { bendJson, bendText, chooseObject, tamedJson, validObject, type ObjectChoice } from "./objects.js";
import { oddText, oddVarint } from "./odd-values.js";
import type { WireField } from "./wire.js";

/**
 * A message that makes sense, from its descriptor: fields whose names are known get values that fit each other (the object of
 * one kind, in one namespace), the others small ones of their type.
 */
export function sensibleMessage(type: protobuf.Type, random: SeededRandom): readonly WireField[] {
  return new MessageMaker(random).make(type);
}

class MessageMaker {
  readonly #random: SeededRandom;
  readonly #choice: ObjectChoice;

  constructor(random: SeededRandom) {
    this.#random = random;
    this.#choice = chooseObject(kinds, random);
  }

  make(type: protobuf.Type, depth = 0): WireField[] {
    const random = this.#random;
    const groups = new Map(type.oneofsArray.map((oneof) => [oneof.name, random.pick(oneof.fieldsArray).name]));
    return type.fieldsArray.flatMap((field) => {
      const { partOf } = field;
      if (partOf && partOf.fieldsArray.length > 1 && groups.get(partOf.name) !== field.name) return [];
      if (!isUsual(field.name) && !random.chance(0.4)) return [];
      if (isUsual(field.name) && random.chance(0.02)) return [];
      const count = field.repeated || field.map ? random.int(3) : 1;
      return Array.from({ length: count }, () => this.#field(field, depth));
    });
  }

  #field(field: protobuf.Field, depth: number): WireField {
    const number = field.id;
    if (field.map) return { number, type: 2, value: entry("app", "fuzz") };
    if (field.resolvedType && "fieldsArray" in field.resolvedType)
      return { number, type: 2, value: depth > 8 ? [] : this.make(field.resolvedType, depth + 1) };
    if (field.type === "string") return { number, type: 2, value: Buffer.from(this.#text(field.name)) };
    if (field.type === "bytes") return { number, type: 2, value: this.#bytes(field.name, field.parent?.name ?? "") };
    return { number, type: 0, value: this.#number(field) };
  }

  #text(field: string): string {
    const random = this.#random;
    const { kind, namespace, name } = this.#choice;
    switch (field) {
      case "group":
        return kind.group;
      case "version":
        return kind.version;
      case "kind":
        return kind.kind;
      case "namespace":
        return namespace;
      case "name":
      case "pod":
        return name;
      case "node":
        return random.pick([fuzzNode, name]);
      case "labelSelector":
        return random.pick(["", "app=fuzz-1", "app in (fuzz-1,fuzz-2),!x", "app", "!app", oddText(random)]);
      case "fieldSelector":
        return random.pick(["", "metadata.name=fuzz-1", "spec.nodeName!=x", "status.phase=Running", oddText(random)]);
      case "continue":
        return random.pick(["", "", "", continueToken(kind.plural, random), oddText(random)]);
      case "propagation":
        return random.pick(["", "Background", "Foreground", "Orphan"]);
      case "subresource":
        return random.pick(["", "", "status", "scale"]);
      case "fieldManager":
        return random.pick(["", "fuzz", "fuzz-2"]);
      case "client":
        return `fuzz-${random.int(20)}`;
      default:
        return random.chance(0.6) ? "" : oddText(random);
    }
  }

  #number(field: protobuf.Field): bigint {
    const random = this.#random;
    switch (field.name) {
      case "sequence":
        return BigInt(random.between(1, 300));
      case "replicas":
      case "currentReplicas":
        return BigInt(random.int(4));
      case "format":
      case "id":
        return 1n;
      case "limit":
        return random.pick([0n, 1n, 2n, 500n, oddVarint(random)]);
      case "revision":
      case "term":
        return random.pick([0n, 0n, 1n, BigInt(random.int(5_000)), oddVarint(random)]);
      default:
        return field.type === "bool" ? BigInt(random.int(2)) : random.pick([0n, 0n, 1n, 5n, oddVarint(random)]);
    }
  }

  #bytes(field: string, message: string): Uint8Array {
    const random = this.#random;
    if (field === "statusJson") return this.#json(statusOf(validObject(this.#choice, random), random));
    if (field !== "json") return random.bytes(random.int(20));
    const object = validObject(this.#choice, random);
    return this.#json(message === "PatchRequest" ? patchOf(object, random) : object);
  }

  /** Bent a few times, as a value and as text; as often as it was is left as it is. */
  #json(value: unknown): Uint8Array {
    const random = this.#random;
    let bent = value;
    for (let times = random.pick([0, 0, 0, 1, 1, 2, 5]); times > 0; times -= 1) bent = bendJson(bent, random);
    const text = tamedJson(bent);
    return Buffer.from(random.chance(0.12) ? bendText(text, random) : text);
  }
}

/** The node whose certificate the hostile agent has. */
export const fuzzNode = "fuzz-node";

/** Without these a request is refused at its first line. */
function isUsual(field: string): boolean {
  return [
    "object",
    "reference",
    "json",
    "group",
    "version",
    "kind",
    "namespace",
    "name",
    "format",
    "node",
    "statusJson",
  ].includes(field);
}

function entry(key: string, value: string): readonly WireField[] {
  return [key, value].map((text, at) => ({ number: at + 1, type: 2, value: Buffer.from(text) }) as const);
}

function continueToken(plural: string, random: SeededRandom): string {
  const prefix = random.pick([`/objects/${plural}/`, `/${plural}/`, ""]);
  const parts = [
    1,
    random.pick<unknown>([1, 100, 2 ** 53 - 1, -1, null]),
    prefix,
    random.pick(["fuzz-1", "", "\ud800"]),
  ];
  return Buffer.from(JSON.stringify(parts)).toString("base64url");
}

function statusOf(object: Readonly<Record<string, unknown>>, random: SeededRandom): unknown {
  return (
    object["status"] ?? {
      phase: random.pick(["Running", "Failed", "Pending"]),
      capacity: { cpu: "4", memory: "8Gi", pods: "110" },
      allocatable: { cpu: "4", memory: "8Gi", pods: "110" },
      conditions: [{ type: "Ready", status: "True" }],
    }
  );
}

/** Some members of the object, with the names it has. */
function patchOf(object: Readonly<Record<string, unknown>>, random: SeededRandom): unknown {
  const parts = Object.entries(object).filter(([name]) => name === "metadata" || random.chance(0.5));
  const patch = Object.fromEntries(parts);
  if (random.chance(0.3)) return { metadata: { finalizers: null, labels: { x: null, y: "z" } } };
  return patch;
}
