import type { SeededRandom } from "../sim/random.js";

/** What programs stumble over, by type; everything comes from the given source of chance. */

const texts = [
  "",
  " ",
  "0",
  "-1",
  "NaN",
  "Infinity",
  "1e400",
  "null",
  "true",
  "undefined",
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "valueOf",
  "..",
  "../../etc/passwd",
  "/",
  "a/b/c",
  "a..b",
  "-a",
  "A",
  "a_b",
  "*",
  "%00",
  "\u0000",
  "\u0001\u001b]0;x\u0007",
  "\r\nx: y",
  "\u202e\u2066",
  "\ufeff",
  "\ufffe\uffff",
  "\ud800",
  "\udc00x",
  "ok\ud83d",
  "e\u0301\u0301\u0301",
  "😀",
  "ﷺ",
  "K",
  "İ",
  "a=b,c in (d,e),!f",
  "a in (",
  "!!",
  "metadata.name=x,spec.nodeName!=y",
  "fuzz-1",
  "default",
  "100m",
  "1e9223372036854775807",
  "-9223372036854775809",
  "2026-01-31T12:00:00Z",
  "9999999-99-99T99:99:99Z",
  "YWJj",
  "YWJj=",
  "=",
  "{}",
  "[]",
];

/** Long enough for every bound on text, and for what grows faster than its length. */
const longLengths = [63, 64, 253, 254, 1023, 1024, 1025, 4096, 5000];

const pieces = ["a", "-", ".", "a-", "a.", "é", "😀", "\ud83d", "(", "a=b,", "=", "\\", '"', "\u0000", "%"];

export function oddText(random: SeededRandom): string {
  if (random.chance(0.85)) return random.pick(texts);
  const length = random.chance(0.03) ? 70_000 : random.pick(longLengths);
  const text = random.pick(pieces).repeat(length);
  return random.chance(0.5) ? text.slice(0, length) : `${text.slice(0, length)}${random.pick(texts)}`;
}

const numbers = [
  0,
  -0,
  1,
  -1,
  2,
  127,
  128,
  255,
  65_535,
  65_536,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  -(2 ** 53),
  2 ** 63,
  1e21,
  1e308,
  -1e308,
  5e-324,
  0.1,
  1.5,
];

export function oddNumber(random: SeededRandom): number {
  return random.pick(numbers);
}

const varints = [0n, 1n, 2n, 127n, 128n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n];

/** For 64 bits, as they stand on the wire. */
export function oddVarint(random: SeededRandom): bigint {
  return random.chance(0.1) ? 2n ** 64n - 1n : random.pick(varints);
}

/** A JSON value of any type, seldom a large or a deep one. */
export function oddJson(random: SeededRandom, depth = 0): unknown {
  switch (random.int(depth > 3 ? 5 : 10)) {
    case 0:
      return null;
    case 1:
      return random.chance(0.5);
    case 2:
      return oddNumber(random);
    case 3:
    case 4:
      return oddText(random);
    case 5:
      return [];
    case 6:
      return Array.from({ length: random.int(4) }, () => oddJson(random, depth + 1));
    case 7:
      return nested(random.chance(0.1) ? 2_000 : random.pick([10, 63, 64, 65, 70]), random.chance(0.5));
    case 8:
      return Object.fromEntries(
        Array.from({ length: random.chance(0.05) ? 5_000 : random.pick([10, 50, 300]) }, (_, at) => [`k${at}`, at]),
      );
    default:
      return withMember({}, oddText(random), oddJson(random, depth + 1));
  }
}

/** The object with one member more, which may be called `__proto__`. */
export function withMember(object: object, name: string, value: unknown): object {
  return Object.defineProperty({ ...object }, name, { value, enumerable: true, configurable: true, writable: true });
}

function nested(depth: number, inLists: boolean): unknown {
  let value: unknown = 1;
  for (let at = 0; at < depth; at += 1) value = inLists ? [value] : { a: value };
  return value;
}
