import type { ConfState, Index } from "./core/types.js";

export interface ConfigurationFrom {
  /** It holds from the entry behind this one on. */
  readonly index: Index;
  readonly configuration: ConfState;
}

/**
 * The configuration as of every index since the log's first: what a snapshot of that index says, and what a log that is cut there begins
 * with. Fed by the changes as they are applied; the log itself holds the same, as its first record and the changes behind.
 */
export class Configurations {
  #list: ConfigurationFrom[];

  constructor(list: readonly ConfigurationFrom[]) {
    this.#list = [...list];
  }

  /** Effective from `index` on, which is above all before. */
  add(index: Index, configuration: ConfState): void {
    this.#list.push({ index, configuration });
  }

  /** Behind this entry the present one holds; that of the snapshot when it came with one. */
  get latestIndex(): Index {
    return this.#list.at(-1)?.index ?? 0;
  }

  /** Undefined when that is too long ago. */
  at(index: Index): ConfState | undefined {
    return this.#list.findLast((each) => each.index <= index)?.configuration;
  }

  /** What holds before `index` is not asked for any more. */
  forgetBefore(index: Index): void {
    const from = this.#list.findLastIndex((each) => each.index <= index);
    if (from > 0) this.#list = this.#list.slice(from);
  }

  /** A snapshot is all that is known. */
  reset(index: Index, configuration: ConfState): void {
    this.#list = [{ index, configuration }];
  }
}
