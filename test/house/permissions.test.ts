import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { permissionOf } from "../../src/server/permissions.js";

/** Consensus streams have their own listener, in the worker thread, which lets members alone in (raft/worker/transport.ts). */
const ownListener = new Set(["/ikada.raft.v1.Raft/Stream", "/ikada.raft.v1.Raft/Snapshots"]);

function rpcsOf(text: string): string[] {
  const name = /^package ([\w.]+);/m.exec(text)?.[1];
  return [...text.matchAll(/^service (\w+) \{([^}]*)\}/gm)].flatMap(([, service, body]) =>
    [...body!.matchAll(/^\s*rpc (\w+)\(/gm)].map((rpc) => `/${name}.${service}/${rpc[1]}`),
  );
}

describe("permissions", () => {
  it("every rpc of every .proto names the permission it needs", () => {
    const files = readdirSync("proto").filter((file) => file.endsWith(".proto"));
    const rpcs = files.flatMap((file) => rpcsOf(readFileSync(`proto/${file}`, "utf8")));
    assert.ok(rpcs.length >= 19, `only ${rpcs.length} rpcs were found`);
    assert.deepEqual(
      rpcs.filter((rpc) => !ownListener.has(rpc) && permissionOf(rpc) === undefined),
      [],
    );
  });
});
