import type { Index, RaftStorage } from "./types.js";

/** Read at once; a log's tail of changes is short. */
const pageBytes = 1024 * 1024;

/**
 * How far a log that was read from disk is committed at least, beyond the commit index found there, which may be older: it is
 * written with the entries but may be torn off behind them. A leader proposes a change of the members only when the one before
 * is applied, so of several changes behind the commit index all but the last are committed. A member that did not count them
 * could lead with a configuration that is two changes old, whose quorums need not meet those of today.
 */
export function impliedCommit(storage: RaftStorage, committed: Index): Index {
  let change = committed;
  let before = committed;
  const end = storage.lastIndex() + 1;
  for (let index = Math.max(committed + 1, storage.firstIndex()); index < end;) {
    const page = storage.entries(index, end, pageBytes);
    for (const entry of page) {
      if (entry.type !== "ConfChange") continue;
      before = change;
      change = entry.index;
    }
    index += page.length;
  }
  return before;
}
