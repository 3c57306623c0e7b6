import type { Done } from "../src/base/env.js";
import type { KeyValuePair, KeyValueReader } from "./key-value.js";
import { allRows } from "./layout.js";
import { following } from "./scan.js";
import { rowBytes } from "./snapshot-rows.js";

/** Rows asked for at first, and at most: a page is about a chunk, whatever the rows' sizes. */
const pageRowsFirst = 32;
const pageRowsMax = 4096;

/**
 * All rows in key order, in pieces of about `chunkBytes`. A piece ends with the row that fills it, which depends on the rows alone, so
 * that equal states give equal pieces. In memory are one page and one piece.
 */
export class RowChunks {
  readonly #reader: KeyValueReader;
  readonly #chunkBytes: number;
  #page: readonly KeyValuePair[] = [];
  #at = 0;
  #from = allRows().from;
  #limit = pageRowsFirst;
  #isEnd = false;

  constructor(reader: KeyValueReader, chunkBytes: number) {
    this.#reader = reader;
    this.#chunkBytes = chunkBytes;
  }

  /** The next piece; without rows behind the last one. One at a time. */
  next(done: Done<readonly KeyValuePair[]>): void {
    const rows: KeyValuePair[] = [];
    let bytes = 0;
    const take = (): void => {
      while (this.#at < this.#page.length) {
        const row = this.#page[this.#at++] as KeyValuePair;
        rows.push(row);
        bytes += rowBytes(row);
        if (bytes >= this.#chunkBytes) return done(null, rows);
      }
      if (this.#isEnd) return done(null, rows);
      return this.#read((error) => (error ? done(error, []) : take()));
    };
    take();
  }

  #read(done: (error: Error | null) => void): void {
    const limit = this.#limit;
    this.#reader.scan({ from: this.#from, to: allRows().to, limit }, (error, rows) => {
      if (error) return done(error);
      const bytes = rows.reduce((sum, row) => sum + rowBytes(row), 0);
      const fitting = Math.floor(this.#chunkBytes / Math.max(1, bytes / Math.max(1, rows.length)));
      this.#limit = Math.min(pageRowsMax, limit * 4, Math.max(1, fitting));
      const last = rows.at(-1);
      if (last) this.#from = following(last.key);
      this.#isEnd = rows.length < limit;
      this.#page = rows;
      this.#at = 0;
      return done(null);
    });
  }
}
