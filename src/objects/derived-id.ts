/**
 * Names and uids that follow from a decision and not from chance: the same decision made again, by this leader
 * or by the next, gives the same object, and creating it twice is refused by the store.
 */

/** A uid in the form of RFC 9562's version 8, from whatever makes this object this one. */
export function derivedUid(...parts: readonly (string | number)[]): string {
  const text = JSON.stringify(parts);
  const hex = [0, 1, 2, 3].map((lane) => hash32(text, lane).toString(16).padStart(8, "0")).join("");
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}

/** `length` (1 to 10) letters of Kubernetes' alphabet for generated names: no vowels, nothing that looks like another. */
export function derivedSuffix(length: number, ...parts: readonly (string | number)[]): string {
  const text = JSON.stringify(parts);
  let rest = hash32(text, 4) * 0x20_0000 + (hash32(text, 5) >>> 11);
  let suffix = "";
  for (let at = 0; at < length; at++) {
    suffix += nameAlphabet.charAt(rest % nameAlphabet.length);
    rest = Math.floor(rest / nameAlphabet.length);
  }
  return suffix;
}

/** Kubernetes' SafeEncodeString of the decimal digits of a 32-bit hash, as in `pod-template-hash`. */
export function safeHash(text: string): string {
  const digits = String(hash32(text, 0));
  return Array.from(digits, (digit) => nameAlphabet.charAt(digit.charCodeAt(0) % nameAlphabet.length)).join("");
}

/** A number below 2^32 that orders equals: as good as chance, but the same each time. */
export function derivedOrder(...parts: readonly (string | number)[]): number {
  return hash32(JSON.stringify(parts), 0);
}

/** Kubernetes' `names.SimpleNameGenerator`: the base is cut so that the whole stays a DNS label. */
export function generatedName(base: string, ...parts: readonly (string | number)[]): string {
  return `${base.slice(0, generatedBaseMax)}${derivedSuffix(generatedSuffixLength, ...parts)}`;
}

const nameAlphabet = "bcdfghjklmnpqrstvwxz2456789";
const generatedSuffixLength = 5;
const generatedBaseMax = 63 - generatedSuffixLength;

/** FNV-1a over UTF-16 code units, with murmur3's finalizer for its weak high bits. `lane` gives independent hashes of one text. */
function hash32(text: string, lane: number): number {
  let hash = (0x811c9dc5 ^ Math.imul(lane, 0x9e3779b1)) >>> 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
