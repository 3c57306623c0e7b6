import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { whenRefused } from "../../../raft/worker/when-refused.js";

describe("a look whether a process listens", () => {
  it("tells a refusal, and nothing of one that listens", async () => {
    const server = createServer((socket) => socket.end()).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const told: string[] = [];
    whenRefused(address, () => told.push("while it listened"));
    await once(server, "connection");
    server.close();
    await once(server, "close");
    await new Promise<void>((resolve) => {
      whenRefused(address, (reason) => {
        told.push(reason);
        resolve();
      });
    });
    assert.deepEqual(told, [`connect ECONNREFUSED ${address}`]);
  });
});
