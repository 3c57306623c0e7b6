import assert from "node:assert/strict";
import { ikada } from "#proto/api.js";
import { IkadaError } from "../../../src/base/errors.js";
import type { Call } from "../../../src/server/listener.js";
import { hasReached, requestedRevision } from "../../../src/server/resources/revisions.js";
import type { Store } from "../../../store/store.js";

const { EXACT, NOT_OLDER_THAN } = ikada.api.v1.RevisionMatch;
const call = { wait: {} } as Call;

/** A replica at revision 5 of a cluster that is at 9, or that has no leader. */
class LaggingStore {
  barriers = 0;
  #applied = 5;
  readonly #hasLeader: boolean;

  constructor(hasLeader = true) {
    this.#hasLeader = hasLeader;
  }

  get store(): Store {
    const revision = (): number => this.#applied;
    return { revision, barrier: () => this.#barrier() } as Partial<Store> as Store;
  }

  #barrier(): Promise<number> {
    this.barriers += 1;
    if (!this.#hasLeader) return Promise.reject(new IkadaError("NoLeader", "no leader"));
    this.#applied = 9;
    return Promise.resolve(this.#applied);
  }
}

describe("revisions of reads", () => {
  const read = (lagging: LaggingStore, revision: number, match = EXACT, local = false) =>
    requestedRevision(lagging.store, { revision, match, local }, call);

  it("waits for a revision that others have, and for none that nobody has", async () => {
    const lagging = new LaggingStore();
    await hasReached(lagging.store, 5, call);
    assert.equal(lagging.barriers, 0, "what is applied needs no word with the leader");
    await hasReached(lagging.store, 8, call);
    assert.equal(lagging.barriers, 1);
    await assert.rejects(hasReached(lagging.store, 10, call), (error: IkadaError) => {
      assert.deepEqual([error.reason, error.details.revision], ["BadRequest", 9]);
      return true;
    });
  });

  it("asks the leader for the present, unless the caller is content with less", async () => {
    const lagging = new LaggingStore();
    assert.equal(await read(lagging, 0, EXACT, true), undefined);
    assert.equal(await read(lagging, 4), 4);
    assert.equal(await read(lagging, 4, NOT_OLDER_THAN), undefined);
    assert.equal(lagging.barriers, 0);
    assert.equal(await read(lagging, 0), undefined);
    assert.equal(lagging.barriers, 1);
  });

  it("serves the past it has without a leader, and nothing newer", async () => {
    const alone = new LaggingStore(false);
    assert.equal(await read(alone, 5), 5);
    await assert.rejects(read(alone, 6), { reason: "NoLeader" });
    await assert.rejects(read(alone, 6, NOT_OLDER_THAN, true), { reason: "NoLeader" });
    await assert.rejects(read(alone, 0), { reason: "NoLeader" });
  });
});
