import type { HardState, Index } from "../core/types.js";
import { readU64, writeU64 } from "./bytes.js";
import type { LogRecord } from "./format.js";
import { recordKinds } from "./format.js";
import type { LogPoint } from "./log-point.js";

/**
 * What the log before a segment adds up to, in one record, so that it is whole or not there. Payload, all u64:
 *
 *     0 term  8 vote  16 commit index  24 whether there is a configuration (0 or 1)  32 index it holds from  40 its bytes
 */
export interface SegmentStart {
  readonly hardState: HardState;
  readonly configuration: Uint8Array | undefined;
  readonly configurationIndex: Index;
}

const fixedBytes = 40;

/** `last` is the log's last entry. */
export function startRecord(last: LogPoint, start: SegmentStart): LogRecord {
  const { hardState, configuration, configurationIndex } = start;
  const payload = new Uint8Array(fixedBytes + (configuration?.length ?? 0));
  writeU64(payload, 0, hardState.term);
  writeU64(payload, 8, hardState.vote);
  writeU64(payload, 16, hardState.commit);
  writeU64(payload, 24, configuration ? 1 : 0);
  writeU64(payload, 32, configurationIndex);
  if (configuration) payload.set(configuration, fixedBytes);
  return { kind: recordKinds.start, index: last.index, term: last.term, payload };
}

export function decodeStart(payload: Uint8Array): SegmentStart | undefined {
  if (payload.length < fixedBytes) return undefined;
  const [term, vote, commit, present, configurationIndex] = [0, 8, 16, 24, 32].map((at) => readU64(payload, at));
  if (term === undefined || vote === undefined || commit === undefined || configurationIndex === undefined)
    return undefined;
  if (Number.isNaN(term + vote + commit + configurationIndex) || (present !== 0 && present !== 1)) return undefined;
  const configuration = present === 1 ? payload.subarray(fixedBytes) : undefined;
  return { hardState: { term, vote, commit }, configuration, configurationIndex };
}
