import type { Disk, Done, Finished } from "../../src/base/env.js";
import type { Index, Term } from "../core/types.js";

/**
 * Names in the folder `snapshots`:
 *
 *     <index>-<term>.snap                     complete, durable, ready to be installed or sent
 *     making.part                             being made by this member
 *     <index>-<term>-<bytes>-<digest>.in      being received; its name says of what, so that it can go on
 */
export const snapshotFolder = "snapshots";
export const makingPath = `${snapshotFolder}/making.part`;

/** Complete files that are kept: what is sent, and what a newer one has just replaced. */
export const completeFilesMax = 2;

/** Which snapshot: two files of which all this is equal hold the same bytes. */
export interface SnapshotIdentity {
  readonly index: Index;
  readonly term: Term;
  readonly bytes: number;
  readonly digest: string;
}

export interface CompleteFile {
  readonly index: Index;
  readonly term: Term;
  readonly path: string;
}

export function completePath(index: Index, term: Term): string {
  return `${snapshotFolder}/${hex(index)}-${hex(term)}.snap`;
}

export function receivingPath({ index, term, bytes, digest }: SnapshotIdentity): string {
  return `${snapshotFolder}/${hex(index)}-${hex(term)}-${hex(bytes)}-${digest}.in`;
}

/** Complete files, newest first. */
export function listComplete(disk: Disk, done: Done<CompleteFile[]>): void {
  disk.list(snapshotFolder, (error, names) => {
    if (error) return done(error, []);
    const complete = names.flatMap((name) => {
      const [, index, term] = completeName.exec(name) ?? [];
      if (index === undefined || term === undefined) return [];
      return [{ index: number(index), term: number(term), path: `${snapshotFolder}/${name}` }];
    });
    return done(null, complete.reverse());
  });
}

/** Removes what `isStale` says of all files in the folder, by their paths. */
export function removeFiles(disk: Disk, isStale: (path: string) => boolean, done: Finished): void {
  disk.list(snapshotFolder, (error, names) => {
    if (error) return done(error);
    const stale = names.map((name) => `${snapshotFolder}/${name}`).filter(isStale);
    const next = (at: number): void => {
      const path = stale[at];
      if (path === undefined) return done(null);
      return disk.remove(path, (removeError) => (removeError ? done(removeError) : next(at + 1)));
    };
    return next(0);
  });
}

/** Keeps the newest complete files and, of those that are no use any more, none. */
export function prune(disk: Disk, done: Finished): void {
  listComplete(disk, (error, complete) => {
    if (error) return done(error);
    const old = new Set(complete.slice(completeFilesMax).map(({ path }) => path));
    return old.size === 0 ? done(null) : removeFiles(disk, (path) => old.has(path), done);
  });
}

/** At start: what a crash left half made. A half received one stays, it can go on; of older ones nothing is left. */
export function cleanAtStart(disk: Disk, done: Finished): void {
  disk.list(snapshotFolder, (error, names) => {
    if (error) return done(error);
    const newest = names.findLast((name) => receivingName.test(name));
    const isLeft = (path: string): boolean => {
      const name = path.slice(snapshotFolder.length + 1);
      return !completeName.test(name) && name !== newest;
    };
    return removeFiles(disk, isLeft, (removeError) => (removeError ? done(removeError) : prune(disk, done)));
  });
}

const completeName = /^([0-9a-f]{16})-([0-9a-f]{16})\.snap$/;
const receivingName = /^(?:[0-9a-f]{16}-){3}[0-9a-f]{16}\.in$/;

function hex(value: number): string {
  return value.toString(16).padStart(16, "0");
}

function number(digits: string): number {
  return Number.parseInt(digits, 16);
}
