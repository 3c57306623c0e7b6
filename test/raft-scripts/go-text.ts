/** Text as Go's fmt package writes it, which is how the expected outputs of the scripts were made. */

const escapes = new Map<number, string>([
  [0x07, "\\a"],
  [0x08, "\\b"],
  [0x09, "\\t"],
  [0x0a, "\\n"],
  [0x0b, "\\v"],
  [0x0c, "\\f"],
  [0x0d, "\\r"],
  [0x22, '\\"'],
  [0x5c, "\\\\"],
]);

/** `%q`. */
export function quoted(data: Uint8Array): string {
  let text = '"';
  for (let at = 0; at < data.length;) {
    const length = characterLength(data, at);
    const character = length === 0 ? undefined : decoder.decode(data.subarray(at, at + length));
    text += character === undefined ? `\\x${hex(data[at]!, 2)}` : quotedCharacter(character.codePointAt(0)!);
    at += Math.max(1, length);
  }
  return `${text}"`;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes of the UTF-8 character at `at`; 0 when there is none. */
function characterLength(data: Uint8Array, at: number): number {
  for (let length = 1; length <= 4 && at + length <= data.length; length++) {
    try {
      decoder.decode(data.subarray(at, at + length));
      return length;
    } catch {
      // Not a whole character yet, or never.
    }
  }
  return 0;
}

function quotedCharacter(code: number): string {
  const escape = escapes.get(code);
  if (escape !== undefined) return escape;
  const character = String.fromCodePoint(code);
  if (code === 0x20 || /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(character)) return character;
  if (code < 0x80) return `\\x${hex(code, 2)}`;
  return code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

/** `%v` of a slice. */
export function slice(values: readonly (number | string)[]): string {
  return `[${values.join(" ")}]`;
}
