import assert from "node:assert/strict";
import * as fc from "fast-check";
import { ikada } from "#proto/store.js";
import { InvariantError } from "../../src/base/errors.js";
import { ByteWriter } from "../../src/base/byte-writer.js";
import { decodeCommand, decodeVersion, encodeCommand, encodeVersion } from "../../store/codec.js";
import type { Compare, Operation, Txn, WriteRequest } from "../../store/store.js";

const { Command, Record } = ikada.store.v1;

/** Like what is read back. */
const plain = { noNullPrototype: true };
const text = fc.oneof(fc.string({ maxLength: 8, unit: "binary" }), fc.string({ maxLength: 300 }));
const number = fc.oneof(fc.nat(300), fc.maxSafeNat());
const bytes = fc.uint8Array({ maxLength: 300 });
const operation = fc.oneof(
  fc.record(
    {
      type: fc.constant("put" as const),
      key: text,
      value: bytes,
      revisionAt: fc.oneof(
        fc.integer({ min: -70, max: 70 }),
        fc.maxSafeNat().map((value) => Math.floor(value / 2)),
      ),
    },
    plain,
  ),
  fc.record({ type: fc.constant("delete" as const), key: text }, plain),
) satisfies fc.Arbitrary<Operation>;
const compare = fc.record(
  {
    key: text,
    target: fc.constantFrom("version" as const, "createRevision" as const, "modRevision" as const),
    operator: fc.constantFrom("=" as const, "!=" as const, "<" as const, ">" as const),
    operand: number,
  },
  plain,
) satisfies fc.Arbitrary<Compare>;
const txn = fc.record(
  {
    compares: fc.array(compare, { maxLength: 3 }),
    success: fc.array(operation, { maxLength: 40 }),
    failure: fc.array(operation, { maxLength: 3 }),
  },
  plain,
) satisfies fc.Arbitrary<Txn>;
const request = fc.record({
  txns: fc.array(txn, { maxLength: 3 }),
  client: fc.option(fc.record({ id: fc.string({ minLength: 1, maxLength: 9 }), sequence: number }, plain), {
    nil: undefined,
  }),
  origin: text,
});

/** `exactOptionalPropertyTypes` wants the field absent. */
function requestOf({ txns, client, origin }: { txns: Txn[]; client: WriteRequest["client"]; origin: string }) {
  return client === undefined ? { txns, origin } : { txns, origin, client };
}

/** What the generated code makes of it. */
function generated(proposal: number, { txns, client, origin }: WriteRequest, timeMs: number): Uint8Array {
  const operations = (list: readonly Operation[]) =>
    list.map((one) =>
      one.type === "delete"
        ? { type: 1, key: one.key }
        : { type: 0, key: one.key, value: one.value, revisionAt: one.revisionAt },
    );
  return Command.encode({
    format: 1,
    proposal,
    client: client?.id ?? "",
    sequence: client?.sequence ?? 0,
    origin,
    txns: txns.map(({ compares, success, failure }) => ({
      compares: compares.map(({ key, target, operator, operand }) => ({
        key,
        target: ["version", "createRevision", "modRevision"].indexOf(target),
        operator: ["=", "!=", "<", ">"].indexOf(operator),
        operand,
      })),
      success: operations(success),
      failure: operations(failure),
    })),
    timeMs,
  }).finish();
}

const hex = (value: Uint8Array): string => Buffer.from(value).toString("hex");

describe("the store's wire format by hand", () => {
  it("writes a command as the generated code does, and reads it back", () => {
    fc.assert(
      fc.property(request, number, number, (drawn, proposal, timeMs) => {
        const given = requestOf(drawn);
        const encoded = encodeCommand(proposal, given, timeMs);
        assert.equal(hex(encoded), hex(generated(proposal, given, timeMs)));
        const { proposal: readProposal, txns, origin, client, timeMs: readMs } = decodeCommand(1, encoded);
        const read = { proposal: readProposal, txns, origin, client, timeMs: readMs };
        assert.deepEqual(read, { proposal, client: undefined, timeMs, ...given });
      }),
      { numRuns: 300 },
    );
  });

  it("reads a command in which fields stand in another order, and passes over those it does not know", () => {
    const { txns, origin } = { txns: [{ compares: [], success: [], failure: [] }], origin: "me" };
    const parts = [{ txns }, { origin }, { proposal: 7, format: 1 }].map((part) => Command.encode(part).finish());
    // Fields 14 (varint), 13 (bytes), 12 (8 bytes) and 15 (4 bytes).
    const unknown = [0x70, 0x81, 0x01, 0x6a, 2, 9, 9, 0x61, 1, 2, 3, 4, 5, 6, 7, 8, 0x7d, 1, 2, 3, 4];
    const command = decodeCommand(1, Buffer.concat([...parts, Uint8Array.from(unknown)]));
    const expected = {
      format: 1,
      keyId: 0,
      proposal: 7,
      origin,
      txns,
      client: undefined,
      timeMs: 0,
      compact: 0,
      keyspace: 0,
      etcd: undefined,
    };
    assert.deepEqual(command, expected);
  });

  it("refuses every command that is cut short or has a byte too many", () => {
    const put: Operation = { type: "put", key: "key", value: new Uint8Array(200), revisionAt: 3 };
    const encoded = encodeCommand(2 ** 50, { txns: [{ compares: [], success: [put], failure: [] }], origin: "me" });
    // A cut between two fields leaves a message that is whole, with fewer fields.
    const whole = new Set([2, 11, 15]);
    for (let length = 0; length < encoded.length; length += 1)
      if (!whole.has(length)) assert.throws(() => decodeCommand(1, encoded.subarray(0, length)), InvariantError);
    assert.throws(() => decodeCommand(1, Uint8Array.of(...encoded, 0x80)), InvariantError);
    const tooLarge = [0x08, 0x01, 0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert.throws(() => decodeCommand(1, Uint8Array.from(tooLarge)), InvariantError);
  });

  it("writes a version row as the generated code does, also many in one writer", () => {
    const writer = new ByteWriter(64);
    const written: { readonly row: Uint8Array; readonly expected: string }[] = [];
    fc.assert(
      fc.property(number, number, bytes, number, (createRevision, version, value, previous) => {
        const given = { createRevision, version, value, previous, lease: previous % 3 };
        const row = encodeVersion(given, writer);
        written.push({ row, expected: hex(Record.encode(given).finish()) });
        assert.deepEqual(decodeVersion(row), given);
      }),
    );
    // Rows that were given out stay as they are while the writer goes on.
    for (const { row, expected } of written) assert.equal(hex(row), expected);
  });
});
