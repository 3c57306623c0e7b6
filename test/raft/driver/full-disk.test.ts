import assert from "node:assert/strict";
import { texts, VirtualCluster, type Member } from "./virtual-cluster.js";

describe("the driver on a full disk", () => {
  it("hands leadership over, refuses proposals as DiskFull, and takes part again when there is space", () => {
    const cluster = new VirtualCluster(3, { growBytes: 512, reserveBytes: 4096 });
    cluster.start();
    const leader = cluster.elect();
    const others = [...cluster.members.values()].filter((member) => member !== leader);
    cluster.commit(leader, "before", [...cluster.members.values()]);
    leader.disk.isFull = true;
    leader.driver?.propose(7, new Uint8Array(2000));
    cluster.time.run(() => others.some(({ status }) => status?.role === "Leader"), 5000);
    const next = others.find(({ status }) => status?.role === "Leader") as Member;
    cluster.commit(next, "meanwhile", others);
    leader.driver?.propose(8, new Uint8Array(1));
    cluster.time.run(() => leader.refused.some(({ tag }) => tag === 8));
    assert.deepEqual(leader.refused.at(-1), { tag: 8, reason: "DiskFull" });
    leader.disk.isFull = false;
    cluster.time.run(() => texts(leader).includes("meanwhile"), 10_000);
    cluster.time.pass(3000);
    cluster.commit(leader, "after", [...cluster.members.values()]);
    assert.deepEqual(leader.fatal, []);
  });
});
