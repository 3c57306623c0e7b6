import type { Revision, WatchEvent } from "../../store/store.js";

/**
 * The bytes of events that many watchers are sent: made once for each shape that is asked for. Only those of one revision are kept: the store
 * tells all live watchers of one revision before the next, and whoever replays the past is alone with it.
 */
export class SharedEncoding<Shape> {
  readonly #encode: (event: WatchEvent, shape: Shape) => Uint8Array;
  #revision: Revision = -1;
  readonly #known = new Map<WatchEvent, Map<Shape, Uint8Array>>();

  constructor(encode: (event: WatchEvent, shape: Shape) => Uint8Array) {
    this.#encode = encode;
  }

  bytesOf(event: WatchEvent, shape: Shape): Uint8Array {
    if (event.record.modRevision !== this.#revision) {
      this.#revision = event.record.modRevision;
      this.#known.clear();
    }
    let shapes = this.#known.get(event);
    if (!shapes) this.#known.set(event, (shapes = new Map()));
    let bytes = shapes.get(shape);
    if (!bytes) shapes.set(shape, (bytes = this.#encode(event, shape)));
    return bytes;
  }
}
