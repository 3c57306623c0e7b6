import { IkadaError } from "../../src/base/errors.js";
import type { ContainerStream, StreamSink } from "../core/access.js";

/** A copy that moves nothing for so long is ended. */
const stallMsMax = 30_000;

interface Copy {
  readonly containerId: string;
  end(error: IkadaError): void;
}

/**
 * Copies of containers' files that are under way. While one is, the engine holds the container: it can be neither inspected nor stopped, and
 * no command begins in it. So a copy that stands still has an end, and whoever needs the container more than its reader can end it.
 */
export class Copies {
  readonly #stallMsMax: number;
  readonly #open = new Set<Copy>();

  constructor(stallMs = stallMsMax) {
    this.#stallMsMax = stallMs;
  }

  has(containerId: string): boolean {
    return [...this.#open].some((copy) => copy.containerId === containerId);
  }

  /** Ends all copies of a container's files. */
  end(containerId: string, why: string): void {
    for (const copy of this.#open)
      if (copy.containerId === containerId) copy.end(new IkadaError("Conflict", `the copy was ended: ${why}`));
  }

  /** `begin` begins the copy. */
  follow(containerId: string, outer: StreamSink, begin: (sink: StreamSink) => ContainerStream): ContainerStream {
    let timer: NodeJS.Timeout | undefined;
    const over = (): void => {
      clearTimeout(timer);
      this.#open.delete(copy);
      outer.onResume = undefined;
    };
    const moved = (): void => {
      clearTimeout(timer);
      if (this.#open.has(copy)) timer = setTimeout(() => copy.end(stalled(this.#stallMsMax)), this.#stallMsMax);
    };
    const inner: StreamSink = {
      onResume: undefined,
      onOpen: () => outer.onOpen(),
      onData: (stream, bytes) => {
        moved();
        return outer.onData(stream, bytes);
      },
      onDrain: () => {
        moved();
        outer.onDrain();
      },
      onEnd: (error, exitCode) => {
        over();
        outer.onEnd(error, exitCode);
      },
    };
    const copy: Copy = {
      containerId,
      end: (error) => {
        over();
        stream.close();
        outer.onEnd(error);
      },
    };
    this.#open.add(copy);
    outer.onResume = () => {
      moved();
      inner.onResume?.();
    };
    moved();
    const stream = begin(inner);
    return {
      write: (bytes) => {
        moved();
        return stream.write(bytes);
      },
      end: () => stream.end(),
      resize: () => undefined,
      close: () => {
        over();
        stream.close();
      },
    };
  }
}

function stalled(forMs: number): IkadaError {
  return new IkadaError("Unavailable", `the copy stood still for ${forMs / 1000} s and was ended`, {
    hint: "copy again, and read or write all the time: nobody else gets at the container meanwhile",
  });
}
