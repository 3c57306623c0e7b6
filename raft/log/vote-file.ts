import type { Disk, Done, Finished } from "../../src/base/env.js";
import type { HardState, Index, NodeId, Term } from "../core/types.js";
import { readSlots, writeSlot, type SlotFields } from "./two-slots.js";

/** Term and vote a second time, beside the log: no single damage makes a member forget whom it voted for. */
export interface Vote {
  readonly term: Term;
  readonly vote: NodeId;
  /** Above 0: what the log lost is not back yet; everything that may have been acknowledged lies at or below. */
  readonly recoverTo: Index;
}

export const votePath = "log/vote";
export const voteSlots = { path: votePath, magic: "IKADAVOT" } as const;

/** The newest of two votes of one member. */
export function newerVote<V extends Pick<HardState, "term" | "vote">>(left: V, right: V): V {
  if (left.term !== right.term) return left.term > right.term ? left : right;
  return right.vote === 0 ? left : right;
}

interface Save {
  readonly vote: Vote;
  readonly done: Finished[];
}

export class VoteFile {
  readonly #disk: Disk;
  #generation: number;
  #recoverTo: Index;
  #isBusy = false;
  /** Waits for the write in flight; a newer one takes its place and calls both back. */
  #next: Save | undefined;

  private constructor(disk: Disk, generation: number, recoverTo: Index) {
    this.#disk = disk;
    this.#generation = generation;
    this.#recoverTo = recoverTo;
  }

  /** `found` is undefined when there is no such file, or nothing whole in it. */
  static read(disk: Disk, done: Done<{ readonly file: VoteFile; readonly found: Vote | undefined }>): void {
    readSlots(disk, voteSlots, (error, slots) => {
      if (error) return done(error, undefined as never);
      const { newest } = slots;
      const [term, vote, recoverTo] = newest?.fields ?? [0, 0, 0];
      const voteFile = new VoteFile(disk, newest?.generation ?? 0, recoverTo);
      return done(null, { file: voteFile, found: newest && { term, vote, recoverTo } });
    });
  }

  get recoverTo(): Index {
    return this.#recoverTo;
  }

  /** Writes both slots, so that either of them says it. */
  begin(vote: Vote, done: Finished): void {
    this.#recoverTo = vote.recoverTo;
    this.save(vote, (error) => (error ? done(error) : this.save(vote, done)));
  }

  /** Nothing is missing any more. */
  recovered(vote: Pick<Vote, "term" | "vote">, done: Finished): void {
    this.#recoverTo = 0;
    this.save(vote, done);
  }

  save({ term, vote }: Pick<Vote, "term" | "vote">, done: Finished): void {
    this.#next = { vote: { term, vote, recoverTo: this.#recoverTo }, done: [...(this.#next?.done ?? []), done] };
    if (!this.#isBusy) this.#write(this.#next);
  }

  #write({ vote, done }: Save): void {
    this.#next = undefined;
    this.#isBusy = true;
    this.#generation++;
    const fields: SlotFields = [vote.term, vote.vote, vote.recoverTo, 0];
    writeSlot(this.#disk, voteSlots, { generation: this.#generation, fields }, (error) => {
      this.#isBusy = false;
      for (const each of done) each(error);
      if (!error && this.#next && !this.#isBusy) this.#write(this.#next);
    });
  }
}
