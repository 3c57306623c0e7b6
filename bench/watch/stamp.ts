/**
 * The writer's stamp in a value: when it was sent, in microseconds of the clock that all processes of a machine share. It is text that is
 * the same in JSON and in bytes, so that a reader finds it without decoding.
 */
const marker = "sent@";
const digits = 16;
const markerBytes = Buffer.from(marker);

export function stampOf(us: number): string {
  return `${marker}${String(us).padStart(digits, "0")}`;
}

export interface Found {
  readonly stamps: readonly number[];
  /** Messages without a stamp. */
  readonly others: readonly Buffer[];
  /** The beginning of a message whose end is still to come. */
  readonly rest: Buffer | undefined;
}

/** All stamps in the whole messages of a part of a call's body. */
export function stampsIn(body: Buffer): Found {
  const stamps: number[] = [];
  const others: Buffer[] = [];
  let at = 0;
  while (body.length - at >= 5) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    if (end > body.length) break;
    let found = body.indexOf(markerBytes, at + 5);
    if (found < 0 || found >= end) others.push(body.subarray(at + 5, end));
    for (; found >= 0 && found < end; found = body.indexOf(markerBytes, found + 1)) {
      const from = found + marker.length;
      stamps.push(Number(body.toString("latin1", from, from + digits)));
    }
    at = end;
  }
  return { stamps, others, rest: at === body.length ? undefined : body.subarray(at) };
}
