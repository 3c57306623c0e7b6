import type { RecordedHistory, WatchedChange } from "./recorded.js";
import type { Witness } from "./witness.js";

/**
 * What each watch promises, over all sessions that it was resumed in: Filter, Ordered, Unique, Atomic (a revision in one piece),
 * Bookmarkable (nothing behind a bookmark that the bookmark covers), Resumable and Reliable (no gap), and that ADDED is said of
 * what was not there. The value before a change is not part of the API.
 */
export function checkWatches({ watched }: RecordedHistory, { versions }: Witness): string[] {
  const problems: string[] = [];
  const byWatcher = new Map<string, WatchedChange[]>();
  for (const change of watched) {
    const ofWatcher = byWatcher.get(change.watcher);
    if (ofWatcher) ofWatcher.push(change);
    else byWatcher.set(change.watcher, [change]);
  }
  const all = [...versions].flatMap(([key, ofKey]) => ofKey.map(({ revision }) => ({ key, revision })));
  for (const [watcher, changes] of byWatcher) {
    const tell = (what: string): void => void problems.push(`watch: ${watcher} ${what}`);
    const seen = new Set<string>();
    let last = 0;
    let covered = 0;
    const [{ filter }] = changes as [WatchedChange];
    for (const { type, key = "", revision } of changes) {
      if (revision < last) tell(`went back from ${last} to ${revision}`);
      if (type === "BOOKMARK") {
        covered = Math.max(covered, revision);
        last = Math.max(last, revision);
        continue;
      }
      if (revision <= covered) tell(`saw ${key} at ${revision} after a bookmark of ${covered}`);
      last = revision;
      const place = `${revision} ${key}`;
      if (seen.has(place)) tell(`saw ${key} at ${revision} twice`);
      seen.add(place);
      if (!key.endsWith(filter)) tell(`asked for "${filter}" and saw ${key}`);
      const ofKey = versions.get(key)!;
      const before = ofKey[ofKey.findIndex((version) => version.revision === revision) - 1];
      if ((type === "ADDED") === (before?.value !== undefined)) tell(`saw ${type} of ${key} at ${revision} wrongly`);
    }
    // All watches begin before the first write and end behind the last one.
    const missed = all.filter(({ key, revision }) => key.endsWith(filter) && !seen.has(`${revision} ${key}`));
    if (missed.length > 0)
      tell(`missed ${missed.length} changes, the first: ${missed[0]!.key} at ${missed[0]!.revision}`);
  }
  return problems;
}
