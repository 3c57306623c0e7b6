import assert from "node:assert/strict";
import { connect } from "node:http2";
import { etcdserverpb as pb } from "#proto/etcd.js";
import { etcdMethods } from "../../../src/host/etcd-methods.js";
import { callBidi } from "../../../src/host/grpc.js";
import type { EtcdOperation } from "../../../store/etcd.js";
import { bearer, eventually, TestCluster, tokens } from "../harness.js";

const metadata = bearer(tokens.admin);
const kilobytes = 1024;

describe("watches of etcd's API", () => {
  let cluster: TestCluster;

  before(async () => {
    cluster = await TestCluster.start(1);
  });
  after(() => cluster.close());

  const put = (...keys: readonly (readonly [key: string, bytes: number])[]): Promise<unknown> => {
    const success = keys.map(([key, bytes]): EtcdOperation => ({
      type: "put",
      key,
      value: new Uint8Array(bytes).fill(120),
      lease: 0,
    }));
    return cluster.store.etcd.execute({ type: "txn", txn: { compares: [], success, failure: [] } }, "test");
  };

  function follow(request: pb.IWatchCreateRequest) {
    const responses: pb.WatchResponse[] = [];
    const call = callBidi(cluster.client("api"), etcdMethods.watch, { metadata });
    call.on("error", () => undefined);
    call.on("data", (response: pb.WatchResponse) => responses.push(response));
    call.write({ createRequest: request });
    return { responses, stop: () => call.cancel(), stands: () => eventually(() => responses.length > 0) };
  }

  /** A client that reads nothing before `read`: the library's own would hold any amount that nobody takes from it. */
  function stand(request: pb.IWatchCreateRequest) {
    const session = connect(`https://${cluster.addresses[0]?.api}`, { ca: cluster.authority.certificate });
    const headers = { "content-type": "application/grpc", te: "trailers", authorization: `Bearer ${tokens.admin}` };
    const stream = session.request({ ":method": "POST", ":path": etcdMethods.watch.path, ...headers });
    const message = etcdMethods.watch.serializeRequest({ createRequest: request });
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    stream.write(Buffer.concat([head, message]));
    const responses: pb.WatchResponse[] = [];
    const read = () => {
      let rest: Buffer = Buffer.alloc(0);
      stream.on("data", (chunk: Buffer) => {
        rest = Buffer.concat([rest, chunk]);
        while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
          const end = 5 + rest.readUInt32BE(1);
          responses.push(pb.WatchResponse.decode(rest.subarray(5, end)));
          rest = rest.subarray(end);
        }
      });
    };
    return { responses, read, stop: () => session.destroy() };
  }

  const prefix = (text: string) => ({ key: Buffer.from(`${text}/`), rangeEnd: Buffer.from(`${text}0`) });
  const keysOf = ({ events }: pb.WatchResponse) => events.map(({ kv }) => Buffer.from(kv?.key ?? []).toString());
  const revisionsOf = (responses: readonly pb.WatchResponse[]) =>
    responses.flatMap(({ events }) => events.map(({ kv }) => kv?.modRevision));

  it("are cut into fragments when they want it, which are the whole put together", async () => {
    const pieces = follow({ ...prefix("large"), fragment: true });
    const whole = follow({ ...prefix("large"), prevKv: true });
    await pieces.stands();
    await whole.stands();
    const keys = ["large/a", "large/b", "large/c", "large/d"];
    await put(...keys.map((key) => [key, 400 * kilobytes] as const));
    await eventually(() => pieces.responses.at(-1)?.fragment === false && pieces.responses.length > 1);
    await eventually(() => whole.responses.length === 2);
    const [, ...fragments] = pieces.responses;
    assert.deepEqual(
      fragments.map((one) => [keysOf(one), one.fragment]),
      [
        [keys.slice(0, 2), true],
        [keys.slice(2), false],
      ],
    );
    const revision = cluster.store.etcd.revision();
    assert.ok(fragments.every(({ header }) => header?.revision === revision));
    assert.ok(fragments.every(({ events }) => events.every(({ kv }) => kv?.value?.length === 400 * kilobytes)));
    assert.deepEqual([keysOf(whole.responses[1]!), whole.responses[1]!.fragment], [keys, false]);
    pieces.stop();
    whole.stop();
  });

  it("tell each watcher what it asked for of the same change", async () => {
    const plain = follow({ ...prefix("shape") });
    const before = follow({ ...prefix("shape"), prevKv: true, watchId: 7 });
    await plain.stands();
    await before.stands();
    await put(["shape/a", 1]);
    await put(["shape/a", 2]);
    await eventually(() => plain.responses.length === 3 && before.responses.length === 3);
    const shown = ({ responses }: { responses: readonly pb.WatchResponse[] }) =>
      responses
        .slice(1)
        .map(({ watchId, events }) => [watchId, events[0]?.kv?.value?.length, events[0]?.prevKv?.value?.length]);
    assert.deepEqual(shown(plain), [
      [0, 1, undefined],
      [0, 2, undefined],
    ]);
    assert.deepEqual(shown(before), [
      [7, 1, undefined],
      [7, 2, 1],
    ]);
    plain.stop();
    before.stop();
  });

  it("end when nobody reads, with the revision to go on from; others do not notice", async () => {
    const first = cluster.store.etcd.revision() + 1;
    const stuck = stand({ ...prefix("slow"), startRevision: first });
    const well = follow({ ...prefix("slow") });
    await well.stands();
    const changes = 120;
    for (let at = 0; at < changes; at += 1) {
      await put([`slow/${at}`, 100 * kilobytes]);
      await eventually(() => revisionsOf(well.responses).length === at + 1);
    }
    const all = Array.from({ length: changes }, (_, at) => first + at);
    assert.deepEqual(revisionsOf(well.responses), all);
    stuck.read();
    const { cancelReason } = await eventually(() => stuck.responses.find(({ canceled }) => canceled));
    const from = Number(
      /^the watcher is \d+ responses behind; watch again from revision (\d+)$/.exec(cancelReason)?.[1],
    );
    assert.ok(from > first && from <= first + changes, cancelReason);
    const again = follow({ ...prefix("slow"), startRevision: from });
    await eventually(() => revisionsOf(again.responses).at(-1) === all.at(-1));
    // Nothing is missing, nothing comes twice.
    assert.deepEqual([...revisionsOf(stuck.responses), ...revisionsOf(again.responses)], all);
    for (const watch of [stuck, well, again]) watch.stop();
  });
});
