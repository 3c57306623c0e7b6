import type { Finished } from "../src/base/env.js";
import type { KeyValuePair, KeyValueReader } from "./key-value.js";

/** Pages are sized so that about this much is in memory at once, whatever the size of the values. */
const pageBytes = 1024 * 1024;
const pagePairsFirst = 32;
const pagePairsMax = 4096;

/** Visits pairs with from <= key < to in order, page by page, until `visit` returns false or throws. */
export function scanAll(
  keyValue: Pick<KeyValueReader, "scan">,
  range: { readonly from: Uint8Array; readonly to: Uint8Array },
  visit: (pair: KeyValuePair) => boolean,
  done: Finished,
): void {
  const next = (from: Uint8Array, limit: number): void => {
    keyValue.scan({ from, to: range.to, limit }, (error, pairs) => {
      if (error) return done(error);
      let bytes = 0;
      try {
        for (const pair of pairs) {
          bytes += pair.key.length + pair.value.length;
          if (!visit(pair)) return done(null);
        }
      } catch (caught) {
        return done(caught instanceof Error ? caught : new Error(String(caught)));
      }
      const last = pairs.at(-1);
      if (!last || pairs.length < limit) return done(null);
      const fitting = Math.floor(pageBytes / Math.max(1, bytes / pairs.length));
      next(following(last.key), Math.min(pagePairsMax, limit * 4, Math.max(1, fitting)));
    });
  };
  next(range.from, pagePairsFirst);
}

/** The smallest key greater than `key`. */
export function following(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}
