import { chunkHeaderBytes, type ChunkHeader, decodeChunkHeader, isChunkWhole } from "../../raft/snapshot/format.js";
import { IkadaError } from "../../src/base/errors.js";
import type { KeyValuePair } from "../key-value.js";
import { decodeRows } from "../snapshot-rows.js";
import type { BackupAbout, DigestState } from "../store.js";
import {
  backupChunkKinds,
  backupHeaderBytes,
  type BackupTotals,
  checkBackupHeader,
  damaged,
  decodeAbout,
  decodeBackupEnd,
  digestBytes,
  truncated,
} from "./format.js";

/** A file, read where one wants. */
export interface ByteSource {
  /** For messages. */
  readonly name: string;
  readonly size: number;
  /** Fewer bytes only at the end of the file. */
  read(offset: number, length: number): Uint8Array;
}

interface Chunk {
  readonly header: ChunkHeader;
  readonly payload: Uint8Array;
}

/** A backup, read from its start to its end with one chunk in memory. Nothing that it gives is good before `rows` has come to its end. */
export class BackupFile {
  readonly about: BackupAbout;
  readonly #source: ByteSource;
  readonly #digest: DigestState;
  #offset = 0;
  #number = 0;
  #totals: BackupTotals | undefined;

  /** Looks at the head alone. @throws IkadaError Invalid for what is no backup, Damaged, Unsupported for a version or key that is not known */
  constructor(source: ByteSource, digest: DigestState) {
    this.#source = source;
    this.#digest = digest;
    const head = this.#take(backupHeaderBytes, false);
    checkBackupHeader(head, source.name);
    const first = this.#chunk();
    if (first.header.kind !== backupChunkKinds.about) throw damaged(source.name, "it does not say what it is");
    this.about = decodeAbout(first.payload, source.name);
  }

  /** Once `rows` has come to its end. */
  get totals(): BackupTotals {
    if (!this.#totals) throw new IkadaError("Internal", "a backup's totals are at its end");
    return this.#totals;
  }

  /** All rows in key order. Once. @throws IkadaError Damaged, at the latest behind the last row */
  *rows(): Generator<KeyValuePair, void, undefined> {
    const { name } = this.#source;
    let [rows, rowBytes] = [0, 0];
    for (;;) {
      const number = this.#number;
      const { header, payload } = this.#chunk();
      if (header.kind === backupChunkKinds.end) {
        const totals = decodeBackupEnd(payload);
        if (totals?.chunks !== number - 1 || totals.rows !== rows || totals.rowBytes !== rowBytes)
          throw damaged(name, "its totals are not those of its rows");
        this.#end();
        this.#totals = totals;
        return;
      }
      if (header.kind !== backupChunkKinds.rows)
        throw damaged(name, `chunk ${number} is of unknown kind ${header.kind}`);
      for (const row of this.#rowsOf(payload)) {
        rows += 1;
        rowBytes += row.key.length + row.value.length;
        yield row;
      }
    }
  }

  #rowsOf(payload: Uint8Array): KeyValuePair[] {
    try {
      return decodeRows(payload);
    } catch (cause) {
      throw damaged(this.#source.name, (cause as Error).message);
    }
  }

  #chunk(): Chunk {
    const { name } = this.#source;
    const at = this.#offset;
    const head = this.#take(chunkHeaderBytes);
    const header = decodeChunkHeader(head);
    if (!header || header.number !== this.#number) throw damaged(name, `the chunk at byte ${at} is damaged`);
    const payload = this.#take(header.length);
    const bytes = new Uint8Array(chunkHeaderBytes + header.length);
    bytes.set(head);
    bytes.set(payload, chunkHeaderBytes);
    if (!isChunkWhole(bytes, header)) throw damaged(name, `the chunk at byte ${at} is damaged`);
    this.#number += 1;
    return { header, payload };
  }

  #end(): void {
    const { name, size } = this.#source;
    const expected = this.#digest.digest();
    const stored = this.#take(digestBytes, true, false);
    if (stored.some((byte, at) => byte !== expected[at])) throw damaged(name, "its SHA-256 is not that of its bytes");
    if (this.#offset !== size) throw damaged(name, `${size - this.#offset} bytes follow its end`);
  }

  #take(length: number, mustBeWhole = true, isDigested = true): Uint8Array {
    const bytes = this.#source.read(this.#offset, length);
    if (mustBeWhole && bytes.length < length) throw truncated(this.#source.name, this.#source.size);
    this.#offset += bytes.length;
    if (isDigested) this.#digest.update(bytes);
    return bytes;
  }
}
