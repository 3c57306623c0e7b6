import assert from "node:assert/strict";
import * as fc from "fast-check";
import {
  decodeAnswers,
  decodeKeyspace,
  decodeMeta,
  decodeVersion,
  encodeAnswers,
  encodeCommand,
  encodeCompaction,
  encodeKeyspace,
  encodeMeta,
  encodeVersion,
} from "../../store/codec.js";
import {
  clientKey,
  clientRange,
  changeBytes,
  keyspaceKey,
  metaKey,
  parseClientKey,
  parseChangeBytes,
  parseRevisionKey,
  parseVersionKey,
  revisionKey,
  versionKey,
  versionsAfter,
  versionsFrom,
  versionsTo,
} from "../../store/layout.js";
import { bytes } from "./requests.js";

const hex = (value: Uint8Array): string => Buffer.from(value).toString("hex");
const compare = (left: Uint8Array, right: Uint8Array): number => Buffer.compare(left, right);
const key = fc.oneof(
  fc.string({ maxLength: 6, unit: "binary" }),
  fc.string({ maxLength: 6, unit: fc.constantFrom("\0", "\u0001", "a", "ÿ", "\uffff", "\u{10000}") }),
);
const revision = fc.oneof(fc.nat(3), fc.maxSafeNat());

describe("layout on disk", () => {
  // Data folders of earlier versions hold exactly these bytes. A change here needs a new format version and a way to read the old one.
  it("is what it was", () => {
    const rows = {
      meta: metaKey(),
      keyspace: keyspaceKey(0),
      version: versionKey(0, "a\0é", 258),
      revision: revisionKey(1, 2 ** 40 + 7, 258),
      client: clientKey("cli-1"),
      "revision's value": changeBytes("a\0\u{10000}"),
      "first operation's value": changeBytes("a\0\u{10000}", { timeMs: 2 ** 40 + 1, origin: "mé" }),
      "meta's value": encodeMeta({ appliedIndex: 300, appliedTerm: 2 }),
      "keyspace's value": encodeKeyspace({ revision: 5, compactRevision: 3, timeMs: 2 ** 40 + 1 }),
      "version's value": encodeVersion({ createRevision: 1, version: 2, value: bytes("x"), previous: 4, lease: 0 }),
      "deletion's value": encodeVersion({ createRevision: 1, version: 0, value: bytes(""), previous: 4, lease: 0 }),
      "client's value": encodeAnswers({
        answers: [{ sequence: 9, results: [{ succeeded: true, revision: 5 }] }],
        lastUsed: 300,
        forgotten: 8,
      }),
      command: encodeCommand(2 ** 52, {
        txns: [
          {
            compares: [{ key: "k", target: "modRevision", operator: ">", operand: 7 }],
            success: [{ type: "put", key: "k", value: bytes("v"), revisionAt: -1 }],
            failure: [{ type: "delete", key: "k" }],
          },
        ],
        client: { id: "cli-1", sequence: 9 },
        origin: "me",
      }),
      "command with a time": encodeCommand(7, { txns: [], origin: "me" }, 2 ** 40 + 1),
      compaction: encodeCompaction(7, 5, 1),
    };
    assert.deepEqual(Object.fromEntries(Object.entries(rows).map(([name, row]) => [name, hex(row)])), golden);
  });

  it("still reads rows of format 1, which knew no times", () => {
    const row = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));
    assert.deepEqual(decodeMeta(row("080118ac022002")), { appliedIndex: 300, appliedTerm: 2 });
    assert.deepEqual(decodeKeyspace(row("08051003")), { revision: 5, compactRevision: 3, timeMs: 0 });
    assert.deepEqual(parseChangeBytes(row("6100ffeda080edb080")), { key: "a\0\u{10000}", stamp: undefined });
  });

  it("reads back what it writes", () => {
    fc.assert(
      fc.property(key, revision, (one, at) => {
        assert.deepEqual(parseVersionKey(versionKey(0, one, at)), { key: one, revision: at });
        assert.deepEqual(parseRevisionKey(revisionKey(0, at, at % 65536)), { revision: at, operation: at % 65536 });
        assert.deepEqual(parseChangeBytes(changeBytes(one)), { key: one, stamp: undefined });
        const stamp = { timeMs: at, origin: "me \0\u0001" };
        assert.deepEqual(parseChangeBytes(changeBytes(one, stamp)), { key: one, stamp });
      }),
    );
    assert.equal(parseClientKey(clientKey("cli-1")), "cli-1");
    const answers = {
      answers: [{ sequence: 9, results: [{ succeeded: false, revision: 5 }] }],
      lastUsed: 1,
      forgotten: 0,
    };
    assert.deepEqual(decodeAnswers(encodeAnswers(answers)), answers);
    assert.deepEqual(decodeMeta(encodeMeta({ appliedIndex: 2 ** 50, appliedTerm: 2 })).appliedIndex, 2 ** 50);
    const keyspace = { revision: 5, compactRevision: 3, timeMs: 2 ** 40 };
    assert.deepEqual(decodeKeyspace(encodeKeyspace(keyspace)), keyspace);
    const version = { createRevision: 1, version: 2, value: new Uint8Array([1]), previous: 4, lease: 9 };
    assert.deepEqual(decodeVersion(encodeVersion(version)), version);
  });

  it("orders rows as keys are ordered, then by revision", () => {
    fc.assert(
      fc.property(key, key, revision, revision, (left, right, leftRevision, rightRevision) => {
        const expected = left < right ? -1 : left > right ? 1 : Math.sign(leftRevision - rightRevision);
        assert.equal(compare(versionKey(0, left, leftRevision), versionKey(0, right, rightRevision)), expected);
      }),
      { numRuns: 1000 },
    );
  });

  it("finds exactly the keys with a prefix, and those behind a key", () => {
    fc.assert(
      fc.property(key, key, revision, (prefix, other, at) => {
        for (const one of [other, prefix + other]) {
          const row = versionKey(0, one, at);
          const inside = compare(row, versionsFrom(0, prefix)) >= 0 && compare(row, versionsTo(0, prefix)) < 0;
          assert.equal(inside, one.startsWith(prefix));
          assert.equal(compare(row, versionsAfter(0, prefix)) > 0, one > prefix);
        }
      }),
      { numRuns: 1000 },
    );
    const { from, to } = clientRange();
    assert.ok(compare(from, clientKey("!")) < 0 && compare(clientKey("~"), to) < 0);
  });

  it("refuses rows of another kind and damaged values", () => {
    assert.throws(() => parseVersionKey(metaKey()), /not a version row/);
    assert.throws(() => parseRevisionKey(versionKey(0, "a", 1)), /not a revision row/);
    assert.throws(() => parseClientKey(metaKey()), /not a client row/);
    assert.throws(() => decodeMeta(Uint8Array.of(8, 3)), /format 3/);
    assert.throws(() => decodeMeta(Uint8Array.of(0xff)), /cannot be decoded/);
    assert.throws(() => decodeVersion(Uint8Array.of(40, 3)), /encrypted with key 3/);
  });
});

const golden = {
  meta: "6d",
  keyspace: "7300",
  version: "6b006100ffc3a900010000000000000102",
  revision: "720100000100000000070102",
  client: "63636c692d31",
  "revision's value": "6100ffeda080edb080",
  "first operation's value": "6100ffeda080edb080000100000100000000016dc3a9",
  "meta's value": "080218ac022002",
  "keyspace's value": "0805100318818080808020",
  "version's value": "080110021a01782004",
  "deletion's value": "08012004",
  "client's value": "0a08080912040801100510ac021808",
  command: [
    "08011880808080808080082205636c692d31280932026d65",
    "3a1c0a090a016b100218032007120812016b1a017620011a05080112016b",
  ].join(""),
  "command with a time": "080118073202 6d6540818080808020".replace(" ", ""),
  compaction: "0802180748055001",
};
