import { limits } from "../src/base/limits.js";

interface HeldProposal {
  readonly tag: number;
  readonly data: Uint8Array;
  readonly sinceMs: number;
}

/** Proposals in the order they came, while there is nobody to take them: bounded in number and in time. */
export class HeldProposals {
  #held: HeldProposal[] = [];

  get isEmpty(): boolean {
    return this.#held.length === 0;
  }

  add(tag: number, data: Uint8Array, nowMs: number): void {
    this.#held.push({ tag, data, sinceMs: nowMs });
  }

  /** The oldest ones that fit one message; they stay until `remove`. */
  batch(): { readonly tags: number[]; readonly data: Uint8Array[] } {
    const tags: number[] = [];
    const data: Uint8Array[] = [];
    let bytes = 0;
    for (const held of this.#held) {
      bytes += held.data.length;
      if (tags.length > 0 && (bytes > limits.appendBytesMax || tags.length >= limits.appendEntriesMax)) break;
      tags.push(held.tag);
      data.push(held.data);
    }
    return { tags, data };
  }

  remove(count: number): void {
    this.#held.splice(0, count);
  }

  /** Takes out what can't be held any longer, and returns the tags. */
  expired(nowMs: number): number[] {
    const tooOld = this.#held.filter(({ sinceMs }) => nowMs - sinceMs >= limits.heldProposalMsMax);
    this.remove(tooOld.length);
    const tooMany = this.#held.splice(limits.heldProposalsMax);
    return [...tooOld, ...tooMany].map(({ tag }) => tag);
  }

  clear(): number[] {
    return this.#held.splice(0).map(({ tag }) => tag);
  }
}
