const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Standard base64 with padding (RFC 4648, section 4). */
export function encodeBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const [a = 0, b = 0, c = 0] = bytes.subarray(at, at + 3);
    const bits = (a << 16) | (b << 8) | c;
    const left = bytes.length - at;
    text += `${digit(bits >> 18)}${digit(bits >> 12)}${left > 1 ? digit(bits >> 6) : "="}${left > 2 ? digit(bits) : "="}`;
  }
  return text;
}

/** The bytes of standard base64 with padding; undefined when it is none. */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (!isBase64(text)) return undefined;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let length = 0;
  for (let at = 0; at < text.length; at += 4) {
    let bits = 0;
    for (let part = 0; part < 4; part += 1) bits = (bits << 6) | Math.max(0, alphabet.indexOf(text.charAt(at + part)));
    for (let shift = 16; shift >= 0 && length < bytes.length; shift -= 8) bytes[length++] = (bits >> shift) & 255;
  }
  return bytes;
}

/** True for standard base64 with padding; the empty text is. */
export function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}

function digit(bits: number): string {
  return alphabet.charAt(bits & 63);
}
