import assert from "node:assert/strict";
import type {
  ContainerEvent,
  ContainerInfo,
  ContainerRuntime,
  ContainerSpec,
} from "../../../node-agent/core/runtime.js";
import type { Finished } from "../../../src/base/env.js";

/** What people do to a container with an engine's own tools: `limit` is one that the engine can't take away again. */
export type ByHand = "pause" | "update" | "limit" | "rename" | "disconnect";

/** What the behaviours of containers that people changed are tried with. */
export interface AlterationsBench {
  runtime(): ContainerRuntime;
  alter(id: string, how: ByHand): Promise<void>;
  run(command: readonly string[], more?: Partial<ContainerSpec>): Promise<string>;
  create(spec: ContainerSpec): Promise<string>;
  start(id: string): Promise<void>;
  stop(id: string, graceMs: number): Promise<void>;
  remove(id: string): Promise<void>;
  sandboxSpec(): Promise<ContainerSpec>;
  inspect(id: string): Promise<ContainerInfo | undefined>;
  finish(call: (done: Finished) => void): Promise<void>;
  until(what: string, condition: () => boolean): Promise<void>;
}

/** Changes by hand are told by events and found by a look; most can be taken back. */
export function alterationsContract(bench: AlterationsBench): void {
  const restore = (id: string): Promise<void> => bench.finish((done) => bench.runtime().restore(id, done));
  const altered = async (id: string): Promise<ContainerInfo["altered"]> => (await bench.inspect(id))?.altered;

  /** Does it, and waits for the event that tells of it. */
  async function byHand(id: string, how: ByHand): Promise<void> {
    const seen: (ContainerEvent["type"] | "open")[] = [];
    const events = bench.runtime().events({
      onOpen: () => seen.push("open"),
      onEvent: ({ type, containerId }) => containerId === id && seen.push(type),
      onLost: (error) => assert.fail(error),
    });
    await bench.until("open", () => seen.includes("open"));
    await bench.alter(id, how);
    const told =
      ({ limit: "update", disconnect: "network" } as const)[how as "limit"] ?? (how as ContainerEvent["type"]);
    await bench.until(`the event ${told}`, () => seen.includes(told));
    events.close();
  }

  it("a container that nobody touched is as it was made, whatever its limits", async () => {
    const limits = { cpuSharesMilli: 1_000, cpuLimitMilli: 500, memoryLimitBytes: 32 * 1024 * 1024 };
    for (const more of [{}, limits, { cpuSharesMilli: 2 }]) {
      const id = await bench.run(["sleep", "60"], more);
      assert.equal(await altered(id), undefined);
      await restore(id);
      assert.equal((await bench.inspect(id))?.phase, "running");
      await bench.remove(id);
      await restore(id);
    }
  });

  it("one that was paused goes on", async () => {
    const id = await bench.run(["sleep", "60"]);
    await byHand(id, "pause");
    assert.deepEqual(await altered(id), { what: "paused", isRevocable: true });
    assert.equal((await bench.inspect(id))?.phase, "running");
    await restore(id);
    assert.equal(await altered(id), undefined);
    await bench.remove(id);
  });

  it("one that was paused can be ended", async () => {
    for (const graceMs of [0, 1_000]) {
      const id = await bench.run(["sleep", "60"]);
      await bench.alter(id, "pause");
      await bench.stop(id, graceMs);
      assert.equal((await bench.inspect(id))?.phase, "exited");
      await bench.remove(id);
    }
  });

  it("limits are set back to what they were, also where there was none", async () => {
    for (const more of [{ memoryLimitBytes: 32 * 1024 * 1024 }, {}]) {
      const id = await bench.run(["sleep", "60"], more);
      assert.equal(await altered(id), undefined);
      await byHand(id, "update");
      assert.match((await altered(id))?.what ?? "", /Memory/);
      await restore(id);
      assert.equal(await altered(id), undefined, JSON.stringify(more));
      await bench.remove(id);
    }
  });

  it("what the engine can't take back is told", async () => {
    const id = await bench.run(["sleep", "60"]);
    assert.equal(await altered(id), undefined);
    await byHand(id, "limit");
    assert.equal((await altered(id))?.isRevocable, true, "not tried yet");
    await restore(id);
    assert.equal((await altered(id))?.isRevocable, false);
    await bench.remove(id);
  });

  it("a sandbox whose network was taken away has one again", async () => {
    const id = await bench.create(await bench.sandboxSpec());
    await bench.start(id);
    assert.equal(await altered(id), undefined);
    await byHand(id, "disconnect");
    const lost = await bench.inspect(id);
    assert.deepEqual([lost?.altered?.what, lost?.ip], ["network", undefined]);
    await restore(id);
    const again = await bench.inspect(id);
    assert.equal(again?.altered, undefined);
    assert.match(again?.ip ?? "", /^\d+\.\d+\.\d+\.\d+$/);
    await bench.remove(id);
  });

  it("one that was renamed stands for none of this owner's any more", async () => {
    const id = await bench.run(["sleep", "60"]);
    await byHand(id, "rename");
    assert.equal((await bench.inspect(id))?.impostor, true);
    await bench.remove(id);
  });
}
