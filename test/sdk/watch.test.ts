import assert from "node:assert/strict";
import { IkadaError, type WatchOptions } from "../../sdk/index.js";
import type { Calls } from "../../sdk/calls.js";
import { watch } from "../../sdk/watch.js";
import { configMap, wire } from "../server/objects.js";

const [added, modified, deleted, bookmark] = [1, 2, 3, 4];

const event = (type: number, name: string, revision: number) => ({
  type,
  revision,
  object: wire(configMap(name, {}, { uid: `uid-${name}`, resourceVersion: String(revision) })),
});
const mark = (revision: number) => ({ type: bookmark, revision, object: null });
const unavailable = () => new IkadaError("Unavailable", "the server is gone");

/** Plays these streams one after the other; each ends with its error. */
function scripted(streams: readonly { readonly events: readonly object[]; readonly error: IkadaError }[]) {
  const asked: number[] = [];
  const failures: string[] = [];
  const calls = {
    stream: (_method: unknown, request: { revision: number }) => {
      const script = streams[asked.length];
      asked.push(request.revision);
      const play = async function* () {
        if (!script) throw new IkadaError("Compacted", "the script is over");
        for (const each of script.events) yield each;
        throw script.error;
      };
      return { address: "test", messages: play() };
    },
    next: async (failure: IkadaError) => {
      failures.push(failure.reason);
      if (failure.reason === "Compacted") throw failure;
      return await Promise.resolve();
    },
  } as unknown as Calls;
  const run = async (options: WatchOptions = {}) => {
    const given: string[] = [];
    const read = async () => {
      for await (const each of watch(calls, {}, options))
        given.push(
          each.type === "BOOKMARK"
            ? `mark ${each.revision}`
            : `${each.type} ${each.object.metadata.name} ${each.revision}`,
        );
    };
    await assert.rejects(read(), { reason: "Compacted" });
    return given;
  };
  return { asked, failures, run };
}

describe("a watch over broken streams", () => {
  it("goes on inside a revision that was given in part", async () => {
    const { asked, run } = scripted([
      { events: [event(added, "a", 3), mark(5), event(added, "b", 6)], error: unavailable() },
      { events: [event(added, "b", 6), event(added, "c", 6), event(deleted, "b", 8)], error: unavailable() },
      { events: [event(deleted, "b", 8), mark(9)], error: unavailable() },
    ]);
    assert.deepEqual(await run(), ["ADDED a 3", "mark 5", "ADDED b 6", "ADDED c 6", "DELETED b 8", "mark 9"]);
    // After a bookmark everything is known to be given, and nothing has to be asked again.
    assert.deepEqual(asked, [0, 5, 7, 9]);
  });

  it("asks for nothing again that the caller has already", async () => {
    const { asked, run } = scripted([{ events: [], error: unavailable() }]);
    await run({ revision: 4 });
    assert.deepEqual(asked, [4, 4]);
  });

  it("begins the initial state anew, and tells what changed in it meanwhile", async () => {
    const { run } = scripted([
      { events: [event(added, "a", 2), event(added, "b", 3)], error: unavailable() },
      { events: [event(added, "b", 7), event(added, "c", 4), mark(8)], error: unavailable() },
    ]);
    assert.deepEqual(await run(), ["ADDED a 2", "ADDED b 3", "MODIFIED b 7", "ADDED c 4", "DELETED a 8", "mark 8"]);
  });

  it("leaves out what is there already when only changes are wanted", async () => {
    const { run } = scripted([
      { events: [event(added, "a", 2), mark(5), event(modified, "a", 6)], error: unavailable() },
    ]);
    assert.deepEqual(await run({ onlyChanges: true }), ["mark 5", "MODIFIED a 6"]);
  });

  it("goes on after it was too slow, from what it has itself", async () => {
    const slow = new IkadaError("SlowWatcher", "behind", { revision: 99 });
    const { asked, failures, run } = scripted([{ events: [mark(5), event(added, "b", 6)], error: slow }]);
    await run();
    assert.deepEqual(asked, [0, 5]);
    assert.deepEqual(failures, ["Unavailable", "Compacted"]);
  });
});
