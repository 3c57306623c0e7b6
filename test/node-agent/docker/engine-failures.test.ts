import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Engine } from "../../../node-agent/docker/engine.js";
import { loadImages } from "../../../node-agent/docker/image-store.js";
import { pullImage } from "../../../node-agent/docker/pull.js";
import { IkadaError } from "../../../src/base/errors.js";

/** An engine that answers as the test says: failures that a real one can't be made to have. */
describe("failures of a Docker engine", () => {
  let folder: string;
  let server: Server;
  let engine: Engine;
  let answer: (request: IncomingMessage, response: ServerResponse) => void;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "ikada-engine-"));
    const socketPath = join(folder, "docker.sock");
    server = createServer((request, response) => answer(request, response));
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    engine = new Engine(socketPath);
  });
  after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true });
  });

  const refuse = (status: number, message: string) => (request: IncomingMessage, response: ServerResponse) => {
    request.resume();
    request.on("end", () => {
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(JSON.stringify({ message }));
    });
  };
  const tell = (line: object) => (request: IncomingMessage, response: ServerResponse) => {
    request.resume();
    request.on("end", () => response.end(`${JSON.stringify(line)}\n`));
  };
  function load(pieces: readonly Uint8Array[], deadlines?: Parameters<typeof loadImages>[2]): Promise<string> {
    return new Promise((resolve, reject) => {
      let names = "";
      const left = [...pieces];
      // As callers do: who is told that there is no room waits.
      const give = (): void => {
        for (let piece = left.shift(); piece !== undefined; piece = left.shift()) if (!stream.write(piece)) return;
        stream.end();
      };
      const stream = loadImages(
        engine,
        {
          onOpen: () => give(),
          onData: (_, bytes) => {
            names += Buffer.from(bytes).toString();
            return true;
          },
          onDrain: () => give(),
          onEnd: (error) => (error === null ? resolve(names) : reject(error)),
          onResume: undefined,
        },
        deadlines,
      );
    });
  }
  const archive = [Buffer.alloc(1024)];
  const isReason = (reason: string, words: string) => (error: unknown) => {
    assert.ok(error instanceof IkadaError, String(error));
    assert.deepEqual([error.reason, error.message.includes(words)], [reason, true], error.message);
    return true;
  };

  it("load: what is wrong with the archive is the caller's, the rest is the engine's", async () => {
    const cases: readonly (readonly [string, string])[] = [
      ["unexpected EOF", "BadRequest"],
      ["archive/tar: invalid tar header", "BadRequest"],
      ["open /var/lib/docker/tmp/x/manifest.json: no such file or directory", "BadRequest"],
      ["Error processing tar file(exit status 1): unexpected EOF", "BadRequest"],
      ["Error processing tar file(exit status 1): write /x: no space left on device", "Unavailable"],
      ["open /var/lib/docker/tmp/x: read-only file system", "Unavailable"],
      ["mkdir /var/lib/docker/tmp: permission denied", "Unavailable"],
      ["failed to create a lease: containerd: connection error", "Unavailable"],
      ["the layer store is busy", "Unavailable"],
    ];
    for (const [words, reason] of cases) {
      answer = refuse(500, words);
      await assert.rejects(load(archive), isReason(reason, words), words);
      answer = tell({ error: words, errorDetail: { message: words } });
      await assert.rejects(load(archive), isReason(reason, words), words);
    }
    answer = tell({ stream: "Loaded image: web:1\n" });
    assert.equal(await load(archive), "web:1\n");
    answer = (request) => void request.socket.destroy();
    await assert.rejects(load(archive), isReason("Unavailable", "load images"));
  });

  it("load: an engine that takes no more of an archive, or never answers, has its deadline", async () => {
    const deadlines = { takeImageMs: 200, keepImageMs: 200 };
    answer = () => undefined;
    await assert.rejects(load(archive, deadlines), isReason("Deadline", "no answer to the whole archive"));
    const large = Array.from({ length: 64 }, () => Buffer.alloc(1024 * 1024));
    await assert.rejects(load(large, { ...deadlines, keepImageMs: 60_000 }), isReason("Deadline", "took no more"));
  });

  it("pull: each has the reason that its words give", async () => {
    const cases: readonly (readonly [number, string, string])[] = [
      [404, "manifest for web:1 not found: manifest unknown: manifest unknown", "NotFound"],
      [404, "pull access denied for web, repository does not exist or may require 'docker login'", "Forbidden"],
      [500, 'Head "https://r.io/v2/web/manifests/1": no basic auth credentials', "Forbidden"],
      [500, 'Get "https://r.io/v2/": dial tcp 192.0.2.1:443: connect: connection refused', "Unavailable"],
      [500, 'Get "https://r.io/v2/": dial tcp: lookup r.io: no such host', "Unavailable"],
      [500, "write /var/lib/docker/tmp/x: no space left on device", "Internal"],
      [400, "invalid reference format", "Invalid"],
    ];
    for (const [status, words, reason] of cases) {
      const request = { reference: "web:1", credentials: undefined, onProgress: () => undefined };
      answer = refuse(status, words);
      await assert.rejects(pullImage(engine, request, "web:1"), isReason(reason, words), words);
      if (status === 400) continue;
      answer = tell({ error: words });
      await assert.rejects(pullImage(engine, request, "web:1"), isReason(reason, words), words);
    }
  });
});
