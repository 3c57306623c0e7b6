import assert from "node:assert/strict";
import { connect, createServer, type Server } from "node:net";
import { listenAt, splitAddress } from "../../../src/host/listening.js";

describe("listening", () => {
  it("splits addresses, IPv6 ones too", () => {
    assert.deepEqual(splitAddress("127.0.0.1:7401"), { host: "127.0.0.1", port: 7401 });
    assert.deepEqual(splitAddress("[::1]:80"), { host: "::1", port: 80 });
    assert.equal(splitAddress("localhost").host, "localhost");
  });

  describe("servers", () => {
    let server: Server;
    beforeEach(() => {
      server = createServer((socket) => socket.end());
    });
    afterEach(() => server.close());

    it("says which address it could not have", async () => {
      const port = await listenAt(server, "127.0.0.1:0");
      await assert.rejects(listenAt(createServer(), `127.0.0.1:${port}`), {
        reason: "Unavailable",
        message: new RegExp(`127\\.0\\.0\\.1:${port}.*EADDRINUSE`),
      });
    });

    it("live on when accepts fail, again and again", async () => {
      const port = await listenAt(server, "127.0.0.1:0");
      // What Node emits when the system call `accept` fails.
      for (let failure = 0; failure < 3; failure++) server.emit("error", new Error("accept ENOBUFS"));
      await new Promise<void>((resolve, reject) => {
        connect(port, "127.0.0.1")
          .once("error", reject)
          .once("close", () => resolve())
          .resume();
      });
    });
  });
});
