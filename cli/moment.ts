import { InvalidArgumentError } from "commander";
import { fromTimestamp } from "../src/api/time.js";
import { parseSpan } from "./flags.js";
import type { Session } from "./session.js";

/** A point in the cluster's history: a revision, or a time in milliseconds since 1970. */
export type Moment = { readonly revision: number } | { readonly timeMs: number };

/** `1234` a revision, `2026-01-31T12:00:00Z` a time, `10m` so long ago. @throws InvalidArgumentError */
export function parseMoment(text: string): Moment {
  if (/^[1-9]\d{0,14}$/.test(text)) return { revision: Number(text) };
  const timeMs = fromTimestamp(text);
  if (timeMs !== undefined) return { timeMs };
  if (/^[\d.]+(ms|s|m|h)$/.test(text)) return { timeMs: Date.now() - parseSpan(text) };
  throw new InvalidArgumentError("Write a revision, a time such as 2026-01-31T12:00:00Z, or how long ago: 10m.");
}

/** The revision that held then. @throws IkadaError Compacted when that is before the kept history */
export async function revisionOf({ client, signal, deadlineMs }: Session, moment: Moment): Promise<number> {
  if ("revision" in moment) return moment.revision;
  return client.revisionAt(new Date(moment.timeMs), { signal, deadlineMs });
}
