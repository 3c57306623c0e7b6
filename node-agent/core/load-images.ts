import type { Finished } from "../../src/base/env.js";
import type { ContainerStream, StreamSink } from "./access.js";
import { taggedReference } from "../../src/api/image-reference.js";
import type { ImageOwnership } from "./images.js";
import type { ContainerRuntime } from "./runtime.js";

/** Loads an archive that a caller sends; what is new by it is this agent's own. */
export function loadOwnImages(
  runtime: Pick<ContainerRuntime, "image" | "images" | "loadImages">,
  ownership: ImageOwnership,
  sink: StreamSink,
): ContainerStream {
  const decoder = new TextDecoder();
  let [closed, names] = [false, ""];
  let stream: ContainerStream | undefined;
  const begin = (wasThere: ReadonlySet<string>): void => {
    stream = runtime.loadImages({
      onOpen: () => sink.onOpen(),
      onDrain: () => sink.onDrain(),
      onData: (output, bytes) => {
        names += decoder.decode(bytes);
        return sink.onData(output, bytes);
      },
      onEnd: (error) => {
        if (error !== null) return sink.onEnd(error);
        const loaded = names.split("\n").filter((name) => name !== "");
        return note(loaded, wasThere, (noteError) => {
          if (!closed) sink.onEnd(noteError);
        });
      },
      onResume: undefined,
    });
  };
  const note = ([name, ...others]: readonly string[], wasThere: ReadonlySet<string>, done: Finished): void => {
    if (name === undefined) return done(null);
    return runtime.image(name, (error, image) => {
      if (error !== null) return done(error);
      if (image !== undefined) ownership.brought(image, nameOf(name), wasThere);
      return note(others, wasThere, done);
    });
  };
  runtime.images((error, before) => {
    if (closed) return;
    if (error === null) begin(new Set(before.map(({ id }) => id)));
    else sink.onEnd(error);
  });
  return {
    write: (bytes) => stream?.write(bytes) ?? true,
    end: () => stream?.end(),
    resize: () => undefined,
    close() {
      closed = true;
      stream?.close();
    },
  };
}

/** Images without a tag are told by their ids. */
function nameOf(loaded: string): string {
  return loaded.startsWith("sha256:") ? loaded : taggedReference(loaded);
}
