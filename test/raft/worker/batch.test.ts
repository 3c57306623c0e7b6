import assert from "node:assert/strict";
import * as fc from "fast-check";
import { ikada } from "#proto/raft.js";
import type { Entry, Message } from "../../../raft/core/types.js";
import { batchClass } from "../../../raft/worker/batch.js";
import { encodeMessage } from "../../../raft/worker/codec.js";
import { packBytes, unpackBytes } from "../../../raft/worker/packed-bytes.js";
import { packEntries, unpackEntries } from "../../../raft/worker/port-messages.js";

const { Batch } = ikada.raft.v1;
const plain = { noNullPrototype: true };
const number = fc.oneof(fc.nat(300), fc.maxSafeNat());
const bytes = fc.uint8Array({ maxLength: 300 });
const entry: fc.Arbitrary<Entry> = fc.record(
  { term: number, index: number, type: fc.constantFrom("Normal" as const, "ConfChange" as const), data: bytes },
  plain,
);
const message: fc.Arbitrary<Message> = fc.record(
  {
    type: fc.constantFrom("MsgApp" as const, "MsgAppResp" as const, "MsgSnap" as const),
    from: number,
    to: number,
    term: number,
    logTerm: number,
    index: number,
    entries: fc.array(entry, { maxLength: 40 }),
    commit: number,
    reject: fc.boolean(),
    rejectHint: number,
    context: number,
    session: number,
    snapshot: fc.constantFrom(undefined, {
      index: 7,
      term: 2,
      configuration: { voters: [1, 2, 3], outgoing: [], learners: [], learnersNext: [], autoLeave: false },
    }),
  },
  plain,
);
const batch = fc.record({ format: fc.nat(3), ping: fc.nat(), messages: fc.array(message, { maxLength: 4 }) }, plain);

/** What the generated code makes of it. */
function generated({ messages, ...head }: { readonly messages: readonly Message[] }): Uint8Array {
  const entryTypes = ["Normal", "ConfChange"];
  const entries = (list: readonly Entry[]) => list.map((one) => ({ ...one, type: entryTypes.indexOf(one.type) }));
  const wired = messages.map((one) => ({ ...encodeMessage(one), entries: entries(one.entries) }));
  return Batch.encode({ ...head, messages: wired }).finish();
}

describe("Raft batches by hand", () => {
  it("are read back, from a view in a larger buffer too, and by the generated code", () => {
    fc.assert(
      fc.property(batch, (given) => {
        const encoded = batchClass.encode(given).finish();
        const { format, ping, messages } = batchClass.decode(Buffer.concat([Buffer.alloc(9), encoded]).subarray(9));
        assert.deepEqual({ format, ping, messages }, given);
        // Fields of a message may stand in any order; read and written by the generated code they are in one.
        const reencode = (wire: Uint8Array) => Buffer.from(Batch.encode(Batch.decode(wire)).finish()).toString("hex");
        assert.equal(reencode(encoded), reencode(generated(given)));
      }),
    );
  });

  it("reads what the generated code writes, as members of the version before do", () => {
    fc.assert(
      fc.property(batch, (given) => {
        assert.deepEqual(batchClass.decode(generated(given)).messages, given.messages);
      }),
    );
  });

  it("copies entries out of what was received", () => {
    const given = { type: "Normal" as const, index: 1, term: 1, data: Uint8Array.of(1, 2, 3) };
    const encoded = generated({ messages: [{ ...fc.sample(message, 1)[0]!, entries: [given] }] });
    const { messages } = batchClass.decode(encoded);
    encoded.fill(0);
    assert.deepEqual(messages[0]!.entries, [given]);
  });
});

describe("arrays packed for another thread", () => {
  it("come back as they were", () => {
    fc.assert(
      fc.property(fc.array(bytes), (arrays) => {
        assert.deepEqual(unpackBytes(packBytes(arrays)), arrays);
      }),
    );
  });

  it("come back as the entries they were, whatever their terms and types", () => {
    fc.assert(
      fc.property(fc.array(entry), number, (drawn, first) => {
        const entries = drawn.map((one, at) => ({ ...one, index: Math.min(first, 2 ** 50) + at, term: one.term % 3 }));
        assert.deepEqual(unpackEntries(packEntries(entries)), entries);
      }),
    );
  });
});
