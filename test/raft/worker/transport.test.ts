import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { ikada } from "#proto/raft.js";
import type { IkadaError } from "../../../src/base/errors.js";
import { callBidi, method } from "../../../src/host/grpc.js";
import { errorFromStatus } from "../../../src/host/grpc-errors.js";
import { silentLog } from "../../../src/host/log.js";
import { createAuthority } from "../../../src/host/pki.js";
import { hostRandom } from "../../../src/host/random.js";
import { hostClock, hostTimers } from "../../../src/host/clock.js";
import { createClient, loadTlsFiles, type TlsFiles } from "../../../src/host/tls.js";
import type { Message } from "../../../raft/core/types.js";
import { Ack, streamRpc, wireFormat } from "../../../raft/worker/codec.js";
import type { KnownMembers, PeerAddress } from "../../../raft/worker/known-members.js";
import { Transport } from "../../../raft/worker/transport.js";
import { eventually, RealCluster } from "./real-cluster.js";

const env = { clock: hostClock, timers: hostTimers, random: hostRandom, log: silentLog };

describe("the transport among members", function () {
  this.timeout(90_000);
  let cluster: RealCluster;
  const open: Transport[] = [];

  before(async () => {
    cluster = await RealCluster.create(3);
  });

  afterEach(() => {
    for (const transport of open.splice(0)) transport.close();
  });

  after(async () => {
    await cluster.close();
  });

  const removedErrors: Error[] = [];
  const start = async (id: number, clusterId = "real", more: Partial<KnownMembers> = {}): Promise<Transport> => {
    const { listen, tls } = cluster.options(id);
    const known = { members: cluster.options(id).members, removed: [], ...more };
    const onRemoved = (error: Error): void => void removedErrors.push(error);
    const transport = await Transport.start({
      id,
      clusterId,
      listen,
      ...known,
      tls: loadTlsFiles(tls),
      env,
      onRemoved,
    });
    open.push(transport);
    return transport;
  };

  it("carries messages both ways, with their sender, once connected", async () => {
    const [first, second] = [await start(1), await start(2)];
    const received: string[] = [];
    first.onReceive((from, messages) => received.push(...messages.map(({ term }) => `1 from ${from}: ${term}`)));
    second.onReceive((from, messages) => received.push(...messages.map(({ term }) => `2 from ${from}: ${term}`)));
    await eventually("both ways", () => {
      first.send(2, [message({ from: 1, to: 2, term: 5 })]);
      second.send(1, [message({ from: 2, to: 1, term: 6 })]);
      return received.includes("1 from 2: 6") && received.includes("2 from 1: 5");
    });
    assert(received.every((line) => line === "1 from 2: 6" || line === "2 from 1: 5"));
  });

  it("keeps every field and copies the entries' bytes", async () => {
    const [first, second] = [await start(1), await start(2)];
    const received: Message[] = [];
    second.onReceive((_from, messages) => received.push(...messages));
    const sent = message({
      type: "MsgApp",
      from: 1,
      to: 2,
      term: 2 ** 52,
      logTerm: 3,
      index: 4,
      entries: [
        { term: 3, index: 5, type: "Normal", data: new Uint8Array(0) },
        { term: 3, index: 6, type: "ConfChange", data: Uint8Array.of(1, 2, 3) },
      ],
      commit: 7,
      reject: true,
      rejectHint: 8,
      context: 2 ** 51 + 1,
      session: 10,
    });
    first.send(2, [sent]);
    await eventually("a message", () => received.length > 0);
    assert.deepEqual(received[0], sent);
    assert.ok((received[0]?.entries[1]?.data.buffer.byteLength ?? 0) < 100, "a copy, not a view of what was received");
  });

  it("measures round trips on the way", async () => {
    const [first, second] = [await start(1), await start(2)];
    const measured: string[] = [];
    first.onRoundTrip((peer, ms) => measured.push(`${peer} ${ms > 0 && ms < 10_000}`));
    second.onReceive(() => undefined);
    await eventually("a round trip", () => {
      first.send(2, [message({ from: 1, to: 2 })]);
      return measured.length > 0;
    });
    assert.equal(measured[0], "2 true");
  });

  it("tells that a peer is lost, and found again", async () => {
    const first = await start(1);
    const told: string[] = [];
    first.onPeer((peer, connected) => told.push(`${peer} ${connected ? "found" : "lost"}`));
    const second = await start(2);
    await eventually("found", () => told.length === 1);
    second.close();
    await eventually("lost", () => told.length === 2);
    await start(2);
    await eventually("found again", () => told.length === 3);
    assert.deepEqual(told, ["2 found", "2 lost", "2 found"]);
  });

  it("bounds what waits for a peer that is not there", async () => {
    const first = await start(1);
    const large = message({
      from: 1,
      to: 2,
      entries: [{ term: 1, index: 1, type: "Normal", data: new Uint8Array(1 << 20) }],
    });
    for (let at = 0; at < 200; at++) first.send(2, [large]);
    const second = await start(2);
    let received = 0;
    second.onReceive((_from, messages) => (received += messages.length));
    await eventually("the newest", () => received > 0);
    first.send(2, [message({ from: 1, to: 2, term: 99 })]);
    await eventually("all that was kept", () => received >= 32);
    assert(received < 40, `${received} of 201 messages of a megabyte`);
  });

  it("gives up on a peer that accepts and never answers, and finds the one that comes after it", async () => {
    const first = await start(1);
    const { port, host } = new URL(`tcp://${cluster.options(2).listen}`);
    const mute = createServer(() => undefined);
    await new Promise<void>((resolve) => {
      mute.listen(Number(port), host.split(":")[0], resolve);
    });
    const sockets: Socket[] = [];
    mute.on("connection", (socket) => sockets.push(socket));
    await eventually("a call to the mute peer", () => sockets.length > 0);
    await new Promise((resolve) => mute.close(resolve).emit("close"));
    const told: number[] = [];
    first.onPeer((peer) => told.push(peer));
    await start(2);
    await eventually("the peer that answers", () => told.length > 0);
    for (const socket of sockets) socket.destroy();
  });

  const strangers: Record<string, () => Promise<TlsFiles>> = {
    "a node": () => cluster.issue({ role: "node", name: "server-2", addresses: [], days: 1 }),
    "a user": () => cluster.issue({ role: "user", name: "server-2", addresses: [], days: 1 }),
    "a server that is no member": () =>
      cluster.issue({ role: "server", name: "server-9", addresses: ["127.0.0.1"], days: 1 }),
    "this server itself": () => cluster.issue({ role: "server", name: "server-1", addresses: ["127.0.0.1"], days: 1 }),
    "a member of another authority": async () =>
      cluster.issue(
        { role: "server", name: "server-2", addresses: ["127.0.0.1"], days: 1 },
        await createAuthority("other"),
      ),
  };
  for (const [name, issue] of Object.entries(strangers)) {
    it(`takes nothing from ${name}`, async () => {
      const first = await start(1);
      let received = 0;
      first.onReceive((_from, messages) => (received += messages.length));
      const error = await speak(await issue(), { format: wireFormat, clusterId: "real" });
      assert.match(error, name.includes("authority") ? /UNAVAILABLE|connection/i : /PERMISSION_DENIED/);
      assert.equal(received, 0);
    });
  }

  it("takes nothing without a greeting, of another cluster or another format", async () => {
    const first = await start(1);
    let received = 0;
    first.onReceive((_from, messages) => (received += messages.length));
    const { tls } = cluster.options(2);
    assert.match(await speak(tls, {}), /wire format 0/);
    assert.match(await speak(tls, { format: wireFormat + 1, clusterId: "real" }), /wire format 2/);
    assert.match(await speak(tls, { format: wireFormat, clusterId: "other" }), /another cluster/);
    assert.equal(received, 0);
  });

  it("lets a server speak that it did not know, and dials it back where it says it is", async () => {
    const own = cluster.options(2).members.filter(({ id }) => id === 2);
    const second = await start(2, "real", { members: own });
    const first = await start(1);
    const received: string[] = [];
    first.onReceive((from) => received.push(`from ${from}`));
    second.onReceive((from) => {
      received.push(`from ${from}`);
      second.send(1, [message({ from: 2, to: 1 })]);
    });
    await eventually("both ways", () => {
      first.send(2, [message({ from: 1, to: 2 })]);
      return received.includes("from 1") && received.includes("from 2");
    });
  });

  it("takes no member's id or name from another server", async () => {
    await start(1);
    const greeting = { format: 1, id: 2, name: "server-9", address: "127.0.0.1:1" };
    const stranger = await cluster.issue({ role: "server", name: "server-9", addresses: ["127.0.0.1"], days: 1 });
    const batch = { format: wireFormat, clusterId: "real" };
    assert.match(await speak(stranger, { ...batch, greeting }), /server-2 is member 2/);
    const { tls } = cluster.options(2);
    assert.match(await speak(tls, { ...batch, greeting: { ...greeting, name: "server-2", id: 9 } }), /is member 2/);
    assert.match(await speak(tls, { ...batch, greeting }), /the certificate is of "server-2"/);
  });

  it("meets members that are added, have moved or come back, at run time", async () => {
    const all = cluster.options(1).members;
    const first = await start(1, "real", { members: all.filter(({ id }) => id === 1) });
    const second = await start(2, "real", { members: all.filter(({ id }) => id === 2) });
    const received: number[] = [];
    second.onReceive((from) => received.push(from));
    first.setMembers({ members: moved(all, 2, "127.0.0.1:1"), removed: [] });
    first.setMembers({ members: all, removed: [] });
    await eventually("a message to the added one", () => {
      first.send(2, [message({ from: 1, to: 2 })]);
      return received.length > 0;
    });
  });

  it("hangs up on a removed member, refuses it, and tells it why", async () => {
    removedErrors.length = 0;
    const all = cluster.options(1).members;
    const [first] = [await start(1), await start(2)];
    const told: string[] = [];
    first.onPeer((peer, connected) => told.push(`${peer} ${connected}`));
    await eventually("connected", () => told.includes("2 true"));
    first.setMembers({ members: all.filter(({ id }) => id !== 2), removed: [2] });
    await eventually("the removed one knows", () => removedErrors.length > 0);
    const count = removedErrors.length;
    await eventually("it is told again when it dials again", () => removedErrors.length > count);
    assert.match(removedErrors[0]?.message ?? "", /member 2, was removed from the cluster/);
  });

  it("ends a stream with a message that no member sends", async () => {
    await start(1);
    const { tls } = cluster.options(2);
    const greeting = { format: wireFormat, clusterId: "real" };
    assert.match(await speak(tls, greeting, { type: 99 }), /unknown type 99/);
    assert.match(await speak(tls, greeting, { type: 0, term: 2 ** 60 }), /term is/);
  });

  it("says what is wrong with what is no message at all", async () => {
    await start(1);
    const tls = loadTlsFiles(cluster.options(2).tls);
    const { address } = cluster.options(1).members[0] ?? { address: "" };
    const client = createClient(address, { authority: tls.authority, identity: tls });
    for (const path of ["Stream", "Snapshots"].map((name) => `/ikada.raft.v1.Raft/${name}`)) {
      const refused = await new Promise((resolve) => {
        const call = client.makeBidiStreamRequest(
          path,
          () => Buffer.of(0xff),
          () => ({}),
        );
        call.on("error", (error) => resolve(errorFromStatus(error)));
        call.on("data", () => undefined);
        call.write({});
      });
      assert.equal((refused as IkadaError).reason, "BadRequest", path);
    }
    client.close();
  });

  /** Speaks to member 1 and returns why it hung up. */
  async function speak(files: TlsFiles, greeting: ikada.raft.v1.Batch.$Properties, wire = {}): Promise<string> {
    const tls = loadTlsFiles(files);
    const { address } = cluster.options(1).members[0] ?? { address: "" };
    const client = createClient(address, { authority: tls.authority, identity: tls });
    try {
      return await new Promise((resolve) => {
        const call = callBidi(client, method(streamRpc, ikada.raft.v1.Batch, Ack));
        call.on("error", (error: Error) => resolve(error.message));
        call.on("data", () => undefined);
        call.write(greeting);
        call.write({ messages: [{ from: 2, to: 1, ...wire }] });
      });
    } finally {
      client.close();
    }
  }
});

function moved(members: readonly PeerAddress[], id: number, address: string): PeerAddress[] {
  return members.map((member) => (member.id === id ? { ...member, address } : member));
}

function message(fields: Partial<Message>): Message {
  return {
    type: "MsgHeartbeat",
    from: 0,
    to: 0,
    term: 0,
    logTerm: 0,
    index: 0,
    entries: [],
    commit: 0,
    reject: false,
    rejectHint: 0,
    snapshot: undefined,
    context: 0,
    session: 0,
    ...fields,
  };
}
