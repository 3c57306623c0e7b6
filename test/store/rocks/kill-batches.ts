import type { KeyValuePair } from "../../../store/key-value.js";

const pairsPerBatch = 3;

/** What batch `number` puts: three pairs of its own and the shared key `last`. */
export function pairsOf(number: number): KeyValuePair[] {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const own = Array.from({ length: pairsPerBatch }, (_, at) => ({
    key: bytes(`batch/${String(number).padStart(9, "0")}/${at}`),
    value: bytes(`${number}`.repeat(50)),
  }));
  return [...own, { key: bytes("last"), value: bytes(String(number)) }];
}
