import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { runBatch } from "./batch.js";

/** A fault planted into the compiled production code: `find` stands in `file` exactly once. */
export interface Mutant {
  readonly name: string;
  /** Below `dist`. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Found in few seeds: also planted by `npm test`. */
  readonly quick?: boolean;
}

export const mutants: readonly Mutant[] = [
  {
    name: "vote without a look at the log",
    file: "raft/core/election.js",
    find: "const granted = mayVote && upToDate;",
    replace: "const granted = mayVote;",
    quick: true,
  },
  {
    name: "two votes in one term",
    file: "raft/core/election.js",
    find: "const isFree = state.vote === 0 && state.leader === 0;",
    replace: "const isFree = state.leader === 0;",
    quick: true,
  },
  {
    name: "a repeated vote counts twice",
    file: "raft/core/election.js",
    find: "if (!state.votes.has(from))",
    replace: `if (granted && state.votes.get(from)) {
        const other = members(state.configuration).find((id) => !state.votes.has(id));
        if (other) state.votes.set(other, true);
    } else`,
  },
  {
    name: "old-term entry committed by count",
    file: "raft/core/replication.js",
    find: "if (!isOfOwnTerm)",
    replace: "if (false)",
  },
  {
    name: "leader counts itself too early",
    file: "raft/core/replication.js",
    find: "own.accepted(state.log.durableIndex)",
    replace: "own.accepted(state.log.lastIndex)",
    quick: true,
  },
  {
    name: "repeated append answered at once",
    file: "raft/core/follower.js",
    find: "state.sendAfterPersist(response);",
    replace: "if (log.hasNewEntries) state.sendAfterPersist(response); else state.send(response);",
    quick: true,
  },
  {
    name: "heartbeat tells the whole commit",
    file: "raft/core/replication.js",
    find: "heartbeat.commit = Math.min(progress.match, state.log.committed);",
    replace: "heartbeat.commit = state.log.committed;",
  },
  {
    name: "old append cuts the log",
    file: "raft/core/log.js",
    find: "if (this.matches(entry.index, entry.term) || entry.index < this.firstIndex)",
    replace: "if (entry.index <= this.committed)",
  },
  {
    name: "answers before the write is durable",
    file: "raft/driver.js",
    find: "for (const message of ready.messages)",
    replace: "for (const message of [...ready.messages, ...ready.messagesAfterPersist.splice(0)])",
  },
  {
    name: "write without fsync",
    file: "raft/log/segment-writer.js",
    find: "return disk.sync(path, named);",
    replace: "return named(null);",
    quick: true,
  },
  {
    name: "new segment's name not durable",
    file: "raft/log/segment-writer.js",
    find: 'disk.syncFolder("log", done)',
    replace: "done(null)",
  },
  {
    name: "term and vote not synced",
    file: "raft/log/raft-log.js",
    find: "if (this.#queue.some(({ write }) => write.mustSync))",
    replace: "if (this.#queue.some(({ write }) => write.entries.length > 0 || write.configuration))",
  },
  {
    name: "torn tail not cut",
    file: "raft/log/open-files.js",
    find: "if (dirtyEnd === end)",
    replace: "if (true)",
  },
  {
    name: "read without a quorum",
    file: "raft/core/reads.js",
    find: "const confirmed = committedIndex(state.configuration, (id) => state.progress.get(id)?.readPosition ?? 0);",
    replace: "const confirmed = state.reads.issued;",
  },
  {
    name: "read confirmed by an older heartbeat",
    file: "raft/core/read-index.js",
    find: "read.position > position",
    replace: "read.position > position + 1",
  },
  {
    name: "new leader reads too early",
    file: "raft/core/reads.js",
    find: "const index = state.hasCommittedInTerm ? state.log.committed : 0;",
    replace: "const index = state.log.committed;",
  },
  {
    name: "barrier joins a question that has left",
    file: "store/barriers.js",
    find: "this.#next.add(waiter);",
    replace: "(this.#asked.size > 0 ? this.#asked : this.#next).add(waiter);",
  },
  {
    name: "retried request applied again",
    file: "store/state-machine.js",
    find: "if (earlier !== undefined)",
    replace: "if (false)",
    quick: true,
  },
  {
    name: "request table not in the batch",
    file: "store/state-machine.js",
    find: "for (const { client, row } of this.#requests.takeChanges())",
    replace: "for (const { client, row } of [])",
    quick: true,
  },
  {
    name: "watch resumes one too late",
    file: "store/watches.js",
    find: "this.#recent.after(watcher.position)",
    replace: "this.#recent.after(watcher.position + 1)",
  },
];

export interface HuntOptions {
  readonly world: string;
  readonly from: number;
  readonly seeds: number;
  readonly workers: number;
}

export interface Found {
  /** Seeds from the first one to the one that found it, or all that were run. */
  readonly seeds: number;
  readonly violation: string | undefined;
}

const root = fileURLToPath(new URL("../../..", import.meta.url));
/** All that a world imports; the copy is what gets the fault. */
const copied = ["package.json", "proto/gen", "dist/raft", "dist/store", "dist/src/base", "dist/test/sim"];

/**
 * Plants one fault into a copy of the compiled code and runs seeds until one is violated. Throws when the
 * fault can't be planted, so that a change of the code does not quietly end the hunt.
 */
export async function hunt(mutant: Mutant, options: HuntOptions): Promise<Found> {
  const folder = mkdtempSync(path.join(tmpdir(), "ikada-mutant-"));
  try {
    for (const part of copied) cpSync(path.join(root, part), path.join(folder, part), { recursive: true });
    symlinkSync(path.join(root, "node_modules"), path.join(folder, "node_modules"));
    plant(mutant, path.join(folder, "dist", mutant.file));
    // The copy's own runner: its worker processes load the code beside it.
    const runner = pathToFileURL(path.join(folder, "dist/test/sim/batch.js")).href;
    const copy = (await import(runner)) as { readonly runBatch: typeof runBatch };
    const seeds = Array.from({ length: options.seeds }, (_, at) => options.from + at);
    const results = await copy.runBatch({ ...options, seeds, stopAtViolation: true });
    const first = results.find((result) => result.violation);
    if (!first) return { seeds: results.length, violation: undefined };
    return { seeds: first.seed - options.from + 1, violation: first.violation?.message };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function plant({ name, file, find, replace }: Mutant, target: string): void {
  const source = readFileSync(target, "utf8");
  const matches = source.split(find).length - 1;
  if (matches !== 1)
    throw new Error(`planted fault "${name}": its text stands ${matches} times in ${file}, must be once`);
  writeFileSync(
    target,
    source.replace(find, () => replace),
  );
}
