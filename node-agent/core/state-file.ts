import type { Disk, Done, Finished } from "../../src/base/env.js";
import { IkadaError } from "../../src/base/errors.js";
import { crc32c } from "./checksum.js";

/**
 * A small value in one file that is replaced as a whole: written beside, synced, renamed, folder synced. After a crash the old or the
 * new value is there, never a part. Saves that come while one is in flight are folded into one.
 *
 * Format, little-endian: "IKDA", u16 format version (1), u16 key id (0: plain), u32 payload length, u32 CRC-32C of the payload, payload (JSON).
 */
export class StateFile<T> {
  readonly #disk: Disk;
  readonly #name: string;
  #saving = false;
  #pending: { value: T; done: Finished[] } | undefined;

  /** `name`: in the data folder itself. */
  constructor(disk: Disk, name: string) {
    this.#disk = disk;
    this.#name = name;
  }

  /** Undefined when there is none. An error DATA_LOSS-like (`Internal`) when it is damaged or of a later format. */
  load(done: Done<T | undefined>): void {
    this.#disk.size(this.#name, (error, size) => {
      if (error) return done(error, undefined);
      if (size < 0) return done(null, undefined);
      return this.#disk.read(this.#name, 0, size, (readError, bytes) => {
        if (readError) return done(readError, undefined);
        let value: T;
        try {
          value = decodeState<T>(bytes, this.#name);
        } catch (caught) {
          return done(IkadaError.from(caught), undefined);
        }
        return done(null, value);
      });
    });
  }

  /** `done` is called when this value, or a later one, is durable. */
  save(value: T, done: Finished): void {
    this.#pending = { value, done: [...(this.#pending?.done ?? []), done] };
    if (!this.#saving) this.#saveNext();
  }

  /** Puts a damaged file aside, so that the next load finds none. */
  setAside(done: Finished): void {
    this.#disk.rename(this.#name, `${this.#name}.damaged`, done);
  }

  #saveNext(): void {
    const next = this.#pending;
    this.#pending = undefined;
    this.#saving = next !== undefined;
    if (next === undefined) return;
    this.#write(encodeState(next.value), (error) => {
      for (const done of next.done) done(error);
      this.#saveNext();
    });
  }

  #write(bytes: Uint8Array, done: Finished): void {
    const disk = this.#disk;
    const temporary = `${this.#name}.new`;
    const steps: ((next: Finished) => void)[] = [
      (next) => disk.remove(temporary, next),
      (next) => disk.write(temporary, 0, bytes, next),
      (next) => disk.sync(temporary, next),
      (next) => disk.rename(temporary, this.#name, next),
      (next) => disk.syncFolder("", next),
    ];
    const run = (at: number): void => {
      const step = steps[at];
      if (step === undefined) done(null);
      else step((error) => (error ? done(error) : run(at + 1)));
    };
    run(0);
  }
}

const magic = [0x49, 0x4b, 0x44, 0x41];
const headerBytes = 16;
const formatVersion = 1;

/** Exported for the golden test. */
export function encodeState(value: unknown): Uint8Array {
  const payload = new TextEncoder().encode(JSON.stringify(value));
  const bytes = new Uint8Array(headerBytes + payload.length);
  const view = new DataView(bytes.buffer);
  bytes.set(magic);
  view.setUint16(4, formatVersion, true);
  view.setUint16(6, 0, true);
  view.setUint32(8, payload.length, true);
  view.setUint32(12, crc32c(payload), true);
  bytes.set(payload, headerBytes);
  return bytes;
}

export function decodeState<T>(bytes: Uint8Array, name: string): T {
  const damaged = (what: string): IkadaError => new IkadaError("Internal", `${name}: ${what}`);
  if (bytes.length < headerBytes || magic.some((byte, at) => bytes[at] !== byte)) throw damaged("not a state file");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint16(4, true);
  const keyId = view.getUint16(6, true);
  if (version !== formatVersion) throw damaged(`format ${version} is not known to this version`);
  if (keyId !== 0) throw damaged(`encrypted with key ${keyId}, and this agent has no keys`);
  const payload = bytes.subarray(headerBytes);
  if (payload.length !== view.getUint32(8, true)) throw damaged("wrong length");
  if (crc32c(payload) !== view.getUint32(12, true)) throw damaged("wrong checksum");
  return JSON.parse(new TextDecoder().decode(payload)) as T;
}
