import { IkadaError } from "./errors.js";

export type TarType = "file" | "folder" | "symlink" | "hardlink" | "other";

/** One member of a tar archive, as it says of itself: nothing of it has been checked but that it can be read. */
export interface TarEntry {
  readonly type: TarType;
  readonly path: string;
  /** Of links. */
  readonly linkPath: string;
  readonly mode: number;
  readonly sizeBytes: number;
  /** Seconds since 1970. */
  readonly mtime: number;
}

/** An entry, then its bytes in pieces, then the end of it. */
export type TarEvent =
  | { readonly kind: "entry"; readonly entry: TarEntry }
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  | { readonly kind: "end" };

const blockBytes = 512;
/** Names and attributes of one entry; they are held in memory. */
const extensionBytesMax = 256 * 1024;

/**
 * Reads POSIX tar (ustar and pax) with GNU's long names, in chunks of any size and in bounded memory (POSIX.1-2017, pax, "ustar Interchange
 * Format"). Of what others may have made, so whatever is not as it should be is refused.
 */
export class TarReader {
  readonly #block = new Uint8Array(blockBytes);
  #blockBytes = 0;
  /** Of the present member: bytes that are still to come, and those that fill its last block. */
  #dataLeft = 0;
  #paddingLeft = 0;
  /** What the extension header that is being read is; undefined within a member that callers see. */
  #extension: { readonly type: string; readonly bytes: Uint8Array } | undefined;
  #inEntry = false;
  #attributes = new Map<string, string>();
  #ended = false;

  /** True once the archive's end mark was read; what comes after it is not looked at. */
  get ended(): boolean {
    return this.#ended;
  }

  /** True where an archive may end: no member is broken off. */
  get betweenEntries(): boolean {
    return this.#blockBytes === 0 && this.#dataLeft === 0 && this.#paddingLeft === 0 && !this.#inEntry;
  }

  /** Bytes of "data" events are views into `chunk`. @throws IkadaError BadRequest when it is no tar, TooLarge */
  *push(chunk: Uint8Array): Generator<TarEvent, void, undefined> {
    let at = 0;
    while (at < chunk.length && !this.#ended) {
      if (this.#dataLeft > 0) {
        const part = chunk.subarray(at, at + this.#dataLeft);
        at += part.length;
        if (this.#extension) this.#extension.bytes.set(part, this.#extension.bytes.length - this.#dataLeft);
        else if (part.length > 0) yield { kind: "data", bytes: part };
        this.#dataLeft -= part.length;
      } else if (this.#paddingLeft > 0) {
        const skipped = Math.min(this.#paddingLeft, chunk.length - at);
        at += skipped;
        this.#paddingLeft -= skipped;
      } else {
        const part = chunk.subarray(at, at + blockBytes - this.#blockBytes);
        this.#block.set(part, this.#blockBytes);
        at += part.length;
        this.#blockBytes += part.length;
        if (this.#blockBytes < blockBytes) return;
        this.#blockBytes = 0;
        const entry = this.#header();
        if (entry) yield { kind: "entry", entry };
      }
      if (this.#dataLeft > 0 || this.#blockBytes > 0) continue;
      if (this.#extension) this.#takeExtension();
      else if (this.#inEntry) {
        this.#inEntry = false;
        yield { kind: "end" };
      }
    }
  }

  /** Undefined for a block that is no member's. */
  #header(): TarEntry | undefined {
    const block = this.#block;
    if (block.every((byte) => byte === 0)) {
      this.#ended = true;
      return undefined;
    }
    if (checksumOf(block) !== numberAt(block, 148, 8)) throw malformed("a header's checksum is wrong");
    const flag = String.fromCharCode(block[156] ?? 0);
    const sizeBytes = Number(this.#attributes.get("size") ?? numberAt(block, 124, 12));
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw malformed("a size is no number");
    if ("xgLK".includes(flag)) {
      if (sizeBytes > extensionBytesMax) {
        throw new IkadaError("TooLarge", `a tar has ${sizeBytes} bytes of names and attributes for one file`);
      }
      this.#extension = { type: flag, bytes: new Uint8Array(sizeBytes) };
      this.#expect(sizeBytes);
      return undefined;
    }
    const attributes = this.#attributes;
    this.#attributes = new Map();
    // GNU's own magic has spaces, and other fields at the prefix's place.
    const prefix = textAt(block, 257, 6) === "ustar" && block[262] === 0 ? textAt(block, 345, 155) : "";
    const name = textAt(block, 0, 100);
    const path = attributes.get("path") ?? (prefix === "" ? name : `${prefix}/${name}`);
    const isSparse = [...attributes.keys()].some((key) => key.startsWith("GNU.sparse."));
    // Before there were folders' own flags, a slash said it.
    const type = isSparse ? "other" : (flag === "\0" || flag === "0") && path.endsWith("/") ? "folder" : typeOf(flag);
    const ownBytes = type === "file" || type === "other" ? sizeBytes : 0;
    this.#inEntry = true;
    this.#expect(ownBytes);
    return {
      type,
      path,
      linkPath: attributes.get("linkpath") ?? textAt(block, 157, 100),
      mode: numberAt(block, 100, 8) & 0o7777,
      sizeBytes: ownBytes,
      // Times before 1970 are of no use to anybody here.
      mtime: Number(attributes.get("mtime") ?? (block[136] === 0xff ? 0 : numberAt(block, 136, 12))) || 0,
    };
  }

  #expect(bytes: number): void {
    this.#dataLeft = bytes;
    this.#paddingLeft = (blockBytes - (bytes % blockBytes)) % blockBytes;
  }

  #takeExtension(): void {
    const { type, bytes } = this.#extension!;
    this.#extension = undefined;
    const text = new TextDecoder();
    if (type === "x") for (const [key, value] of recordsOf(bytes)) this.#attributes.set(key, value);
    else if (type === "L") this.#attributes.set("path", text.decode(untilNul(bytes)));
    else if (type === "K") this.#attributes.set("linkpath", text.decode(untilNul(bytes)));
  }
}

/** pax records: `length key=value\n`, length with its own digits. */
function* recordsOf(bytes: Uint8Array): Generator<readonly [key: string, value: string], void, undefined> {
  const text = new TextDecoder();
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const length = space < 0 ? NaN : Number(text.decode(bytes.subarray(at, space)));
    if (!Number.isSafeInteger(length) || length <= space - at + 1 || at + length > bytes.length) {
      throw malformed("an attribute has no length");
    }
    const record = bytes.subarray(space + 1, at + length - 1);
    const equals = record.indexOf(0x3d);
    if (equals < 0) throw malformed("an attribute has no value");
    yield [text.decode(record.subarray(0, equals)), text.decode(record.subarray(equals + 1))];
    at += length;
  }
}

function typeOf(flag: string): TarType {
  if (flag === "0" || flag === "\0" || flag === "7") return "file";
  if (flag === "5") return "folder";
  if (flag === "2") return "symlink";
  return flag === "1" ? "hardlink" : "other";
}

/** Of all bytes of the block, its own field taken as spaces. */
export function checksumOf(block: Uint8Array): number {
  let sum = 0;
  for (const [at, byte] of block.entries()) sum += at >= 148 && at < 156 ? 0x20 : byte;
  return sum;
}

/** Octal digits, or GNU's base 256. */
function numberAt(block: Uint8Array, at: number, length: number): number {
  const field = block.subarray(at, at + length);
  if (((field[0] ?? 0) & 0x80) !== 0) {
    if (field[0] !== 0x80) throw malformed("a number is negative");
    return field.subarray(1).reduce((value, byte) => value * 256 + byte, 0);
  }
  const digits = textAt(block, at, length).trim();
  if (digits === "") return 0;
  if (!/^[0-7]+$/.test(digits)) throw malformed("a number is not octal");
  return Number.parseInt(digits, 8);
}

function textAt(block: Uint8Array, at: number, length: number): string {
  return new TextDecoder().decode(untilNul(block.subarray(at, at + length)));
}

function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

function malformed(why: string): IkadaError {
  return new IkadaError("BadRequest", `this is no tar that can be read: ${why}`);
}
