/**
 * What the Raft bench's clients and servers say to each other, framed by hand so that a protobuf library is no part of
 * what is measured. All integers are little-endian.
 *
 *     puts      per put: key length u16, value length u32, key (ASCII), value
 *     answers   per put: the revision it made, f64; 0 for a put that failed
 */
export interface Put {
  readonly key: string;
  /** A view into the message. */
  readonly value: Uint8Array;
}

const headBytes = 6;
const answerBytes = 8;

/** Unary: one put, one answer. */
export const putPath = "/ikada.bench.Raft/Put";
/** A stream of messages of several puts, each an entry, a revision and an answer of its own; one answer message each. */
export const streamPath = "/ikada.bench.Raft/Stream";
/** The same, but the puts of one message share one log entry. */
export const packedStreamPath = "/ikada.bench.Raft/PackedStream";

export function encodePuts(puts: readonly Put[]): Buffer {
  let length = 0;
  for (const { key, value } of puts) length += headBytes + key.length + value.length;
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const { key, value } of puts) {
    at = bytes.writeUInt16LE(key.length, at);
    at = bytes.writeUInt32LE(value.length, at);
    at += bytes.write(key, at, "latin1");
    bytes.set(value, at);
    at += value.length;
  }
  return bytes;
}

export function decodePuts(bytes: Buffer): Put[] {
  const puts: Put[] = [];
  for (let at = 0; at < bytes.length;) {
    const keyAt = at + headBytes;
    const valueAt = keyAt + bytes.readUInt16LE(at);
    const end = valueAt + bytes.readUInt32LE(at + 2);
    puts.push({ key: bytes.toString("latin1", keyAt, valueAt), value: bytes.subarray(valueAt, end) });
    at = end;
  }
  return puts;
}

export function encodeAnswers(revisions: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(answerBytes * revisions.length);
  for (const [at, revision] of revisions.entries()) bytes.writeDoubleLE(revision, at * answerBytes);
  return bytes;
}

export function decodeAnswers(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / answerBytes }, (_, at) => bytes.readDoubleLE(at * answerBytes));
}

/** Messages are bytes at both ends. */
export function same(bytes: Buffer): Buffer {
  return bytes;
}
