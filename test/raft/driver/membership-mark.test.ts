import assert from "node:assert/strict";
import { IkadaError } from "../../../src/base/errors.js";
import { openReplica, type OpenReplicaOptions } from "../../../raft/open-replica.js";
import { membershipMarkPath } from "../../../raft/membership-mark.js";
import { logEnv, smallLog } from "../log/log-fixture.js";
import { damage, MemoryDisk } from "../memory-disk.js";

const member: OpenReplicaOptions = {
  ...smallLog,
  initialMembers: [1, 2, 3],
  appliedIndex: 0,
  dataFolder: "/var/lib/somewhere",
};

/** The error of an opening, undefined when it succeeds. */
function open(disk: MemoryDisk, options: Partial<OpenReplicaOptions> = {}): IkadaError | undefined {
  const outcomes: (Error | null)[] = [];
  openReplica({ ...member, ...options }, logEnv(disk), assert.fail, (error) => outcomes.push(error));
  disk.run();
  assert.equal(outcomes.length, 1);
  const [error] = outcomes;
  assert(error === null || error instanceof IkadaError, String(error));
  return error ?? undefined;
}

function without(disk: MemoryDisk, gone: (path: string) => boolean): MemoryDisk {
  return new MemoryDisk(new Map([...disk.files].filter(([path]) => !gone(path))));
}

describe("a data folder that was a member's", () => {
  let disk: MemoryDisk;

  beforeEach(() => {
    disk = new MemoryDisk();
    assert.equal(open(disk), undefined);
  });

  it("has a durable mark, which is the same for ever", () => {
    assert.equal(
      new TextDecoder().decode(disk.files.get(membershipMarkPath)),
      '{"format":1,"keyId":0,"clusterId":"test-cluster","member":1}\n',
    );
    const order = disk.requests.filter((request) => request.includes("member.json") || request === "syncFolder ");
    assert.deepEqual(order.slice(-4), [
      "write member.json.new",
      "sync member.json.new",
      "rename member.json.new",
      "syncFolder ",
    ]);
    assert.equal(open(new MemoryDisk(disk.files)), undefined);
  });

  it("does not start as new when the log is gone, and stays as it is", () => {
    const emptied = without(disk, (path) => path.startsWith("log/"));
    for (let starts = 0; starts < 2; starts++) {
      const error = open(emptied);
      assert.match(error?.message ?? "", /Raft log of member 1 is gone: the data folder \/var\/lib\/somewhere/);
      assert.match(error?.details.hint ?? "", /Put log\/ back/);
      assert.deepEqual([...emptied.files.keys()], [membershipMarkPath]);
    }
  });

  it("does not start as new when nothing is left but a log that was never used", () => {
    const emptied = without(disk, (path) => path.startsWith("log/"));
    // A folder with a first, unfinished marker, as a start that was cut short leaves it.
    emptied.files.set("log/marker", new Uint8Array(10));
    assert.match(open(emptied)?.message ?? "", /Raft log of member 1 is gone/);
    assert.match(open(emptied)?.message ?? "", /Raft log of member 1 is gone/);
  });

  it("is refused to another member or cluster, by both names", () => {
    assert.equal(
      open(new MemoryDisk(disk.files), { node: 2 })?.message,
      "the data folder /var/lib/somewhere belongs to member 1 of cluster test-cluster, this server is member 2 of cluster test-cluster",
    );
    assert.match(
      open(new MemoryDisk(disk.files), { clusterId: "other" })?.message ?? "",
      /belongs to member 1 of cluster test-cluster, this server is member 1 of cluster other/,
    );
  });

  it("gets its mark when it is of an older version", () => {
    const older = without(disk, (path) => path === membershipMarkPath);
    assert.equal(open(older), undefined);
    assert.deepEqual(older.files.get(membershipMarkPath), disk.files.get(membershipMarkPath));
  });

  it("is refused with a mark that is damaged, or of a later version", () => {
    for (const [text, message] of [
      ["", /damaged/],
      ["{", /damaged/],
      ["null", /damaged/],
      ['{"format":1,"keyId":0,"member":1}', /damaged/],
      ['{"format":2}', /another version/],
      ['{"format":1,"keyId":7,"clusterId":"test-cluster","member":1}', /another version/],
    ] as const) {
      const copy = new MemoryDisk(disk.files);
      damage(copy.files, membershipMarkPath, () => new TextEncoder().encode(text));
      assert.match(open(copy)?.message ?? "", message, text);
    }
  });

  it("is marked before the member can vote: no opening succeeds when the mark cannot be made", () => {
    for (const step of ["write member", "sync member", "rename member", "syncFolder "]) {
      const failing = new MemoryDisk();
      failing.fails = (request) =>
        request.startsWith(step) && (step !== "syncFolder " || failing.files.has(membershipMarkPath));
      let opened: Error | null | undefined;
      openReplica(member, logEnv(failing), assert.fail, (error) => (opened = error));
      failing.run();
      assert.match(opened?.message ?? "", /EIO/, step);
      failing.fails = () => false;
      assert.equal(open(new MemoryDisk(failing.files)), undefined, `${step}, and a later start`);
    }
  });
});
