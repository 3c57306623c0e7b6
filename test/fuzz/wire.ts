import { oddText, oddVarint } from "./odd-values.js";
import type { SeededRandom } from "../sim/random.js";

/** Protocol buffers as trees of fields, so that they can be bent in ways that no encoder would. */

/** varint, 64 bits, length and bytes, start and end of a group, 32 bits */
export type WireType = 0 | 1 | 2 | 3 | 4 | 5;

export interface WireField {
  readonly number: number;
  readonly type: WireType;
  /** Fields for a message; numbers for varints; bytes of the right length for fixed ones. */
  readonly value: bigint | Uint8Array | readonly WireField[];
}

export function encodeFields(fields: readonly WireField[]): Buffer {
  return Buffer.concat(fields.flatMap(encodeField));
}

function encodeField({ number, type, value }: WireField): Buffer[] {
  const tag = varint((BigInt(number) << 3n) | BigInt(type));
  if (typeof value === "bigint") return [tag, varint(value)];
  if (value instanceof Uint8Array)
    return type === 2 ? [tag, varint(BigInt(value.length)), Buffer.from(value)] : [tag, Buffer.from(value)];
  const content = encodeFields(value);
  return type === 2 ? [tag, varint(BigInt(content.length)), content] : [tag, content];
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

/** The fields with one thing bent: missing, doubled, of another type, unknown, odd. */
export function bend(fields: readonly WireField[], random: SeededRandom): readonly WireField[] {
  if (fields.length === 0 || random.chance(0.1)) return [...fields, unknownField(random)];
  const at = random.int(fields.length);
  const chosen = fields[at]!;
  const replaced = (field: readonly WireField[]): readonly WireField[] => fields.toSpliced(at, 1, ...field);
  if (Array.isArray(chosen.value) && random.chance(0.7)) {
    return replaced([{ ...chosen, value: bend(chosen.value as readonly WireField[], random) }]);
  }
  switch (random.int(8)) {
    case 0:
      return replaced([]);
    case 1:
      return replaced([chosen, chosen]);
    case 2:
      return replaced([otherType(chosen, random)]);
    case 3:
      return replaced([{ ...chosen, number: random.pick([0, chosen.number + 1, 15, 16, 2 ** 29 - 1, 2 ** 29]) }]);
    case 4:
      return replaced(Array.from({ length: random.chance(0.1) && isShort(chosen) ? 2_000 : 10 }, () => chosen));
    case 5:
      return random.shuffle([...fields]);
    default:
      return replaced([oddContent(chosen, random)]);
  }
}

/** Thousands of it are no more than this process can hold. */
function isShort({ value }: WireField): boolean {
  return typeof value === "bigint" || (value instanceof Uint8Array ? value.length < 65_536 : value.every(isShort));
}

function oddContent(field: WireField, random: SeededRandom): WireField {
  if (typeof field.value === "bigint") return { ...field, value: oddVarint(random) };
  if (!(field.value instanceof Uint8Array)) return { ...field, value: [] };
  if (random.chance(0.3)) return { ...field, value: random.bytes(random.pick([0, 1, 16, 300])) };
  if (random.chance(0.02)) return { ...field, value: Buffer.alloc(random.pick([1_048_577, 2_200_000, 4_194_200]), 97) };
  // A surrogate alone, as an encoder that is no good writes it.
  if (random.chance(0.1)) return { ...field, value: Buffer.from([0x61, 0xed, 0xa0, 0x80]) };
  return { ...field, value: Buffer.from(oddText(random)) };
}

function otherType({ number }: WireField, random: SeededRandom): WireField {
  const type = random.pick<WireType>([0, 1, 2, 3, 4, 5]);
  switch (type) {
    case 0:
      return { number, type, value: oddVarint(random) };
    case 1:
      return { number, type, value: random.bytes(8) };
    case 2:
      return { number, type, value: random.bytes(random.int(20)) };
    case 5:
      return { number, type, value: random.bytes(4) };
    default:
      return { number, type, value: [] };
  }
}

function unknownField(random: SeededRandom): WireField {
  if (random.chance(0.3)) return groups(random.chance(0.1) ? 20_000 : random.pick([1, 50, 200]), random.chance(0.5));
  return otherType({ number: random.between(20, 2_000), type: 0, value: 0n }, random);
}

/** Groups in groups, closed or not. */
function groups(depth: number, isClosed: boolean): WireField {
  const start = varint((999n << 3n) | 3n);
  const end = varint((999n << 3n) | 4n);
  const parts = [
    ...Array.from({ length: depth }, () => start),
    ...(isClosed ? Array.from({ length: depth }, () => end) : []),
  ];
  // The first start is the field's own tag.
  return { number: 999, type: 3, value: Buffer.concat(parts.slice(1)) };
}
