import { checksumOf } from "./tar-reader.js";

/** One member to be written; folders' paths end with a slash by themselves. */
export interface TarMember {
  readonly type: "file" | "folder" | "symlink";
  readonly path: string;
  readonly linkPath?: string;
  readonly mode: number;
  readonly sizeBytes: number;
  readonly mtime: number;
  readonly uid?: number;
  readonly gid?: number;
}

const blockBytes = 512;
const nameBytesMax = 100;
/** Twelve octal digits less one. */
const octalSizeMax = 8 ** 11 - 1;
const flags = { file: "0", folder: "5", symlink: "2" } as const;

/** The header of a member, with a pax header before it where a name or size needs one. Its bytes follow, then `tarPadding`. */
export function tarHeader(member: TarMember): Uint8Array {
  const encoder = new TextEncoder();
  const path = member.type === "folder" && !member.path.endsWith("/") ? `${member.path}/` : member.path;
  const linkPath = member.linkPath ?? "";
  const records: string[] = [];
  if (encoder.encode(path).length > nameBytesMax) records.push(record("path", path));
  if (encoder.encode(linkPath).length > nameBytesMax) records.push(record("linkpath", linkPath));
  if (member.sizeBytes > octalSizeMax) records.push(record("size", String(member.sizeBytes)));
  const own = block(flags[member.type], { ...member, path, linkPath });
  if (records.length === 0) return own;
  const bytes = encoder.encode(records.join(""));
  const head = block("x", { path: "pax", linkPath: "", mode: 0o644, sizeBytes: bytes.length, mtime: 0 });
  return joined([head, bytes, tarPadding(bytes.length), own]);
}

/** What fills the last block of a member of this size. */
export function tarPadding(sizeBytes: number): Uint8Array {
  return new Uint8Array((blockBytes - (sizeBytes % blockBytes)) % blockBytes);
}

/** The end mark. */
export function tarEnd(): Uint8Array {
  return new Uint8Array(2 * blockBytes);
}

function block(flag: string, member: Omit<TarMember, "type"> & { readonly linkPath: string }): Uint8Array {
  const bytes = new Uint8Array(blockBytes);
  const encoder = new TextEncoder();
  const put = (text: string, at: number, length: number): void =>
    bytes.set(encoder.encode(text).subarray(0, length), at);
  const octal = (value: number, at: number, digits: number): void =>
    put(Math.max(0, Math.floor(value)).toString(8).padStart(digits, "0"), at, digits);
  put(member.path, 0, nameBytesMax);
  octal(member.mode & 0o7777, 100, 7);
  octal(Math.min(member.uid ?? 0, 0o7777777), 108, 7);
  octal(Math.min(member.gid ?? 0, 0o7777777), 116, 7);
  octal(member.sizeBytes > octalSizeMax ? 0 : member.sizeBytes, 124, 11);
  octal(Math.min(member.mtime, octalSizeMax), 136, 11);
  put(flag, 156, 1);
  put(member.linkPath, 157, nameBytesMax);
  put("ustar\u000000", 257, 8);
  octal(checksumOf(bytes), 148, 6);
  bytes.set([0, 0x20], 154);
  return bytes;
}

/** Its length counts its own digits. */
function record(key: string, value: string): string {
  const rest = new TextEncoder().encode(` ${key}=${value}\n`).length;
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

/** The bytes of all parts, one after the other. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
