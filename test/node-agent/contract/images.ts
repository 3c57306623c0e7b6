import assert from "node:assert/strict";
import { IkadaError } from "../../../src/base/errors.js";
import type {
  ContainerInfo,
  ContainerRuntime,
  DiskSpace,
  ImageInfo,
  PullRequest,
  StoredImage,
} from "../../../node-agent/core/runtime.js";
import { registryUser, savedImage } from "../test-registry.js";
import { completionsOf, newPodUid, plainSpec } from "./workbench.js";

/** A runtime and a registry that it pulls from. */
export interface ImagesHarness {
  readonly runtime: ContainerRuntime;
  /** `host:port` of a registry for everybody, and of one that wants `registryUser`. */
  readonly registry: string;
  readonly privateRegistry: string;
  /** Sets a tag, in both, to other bytes. */
  push(repository: string, tag: string, text: string): Promise<void>;
  until(what: string, condition: () => boolean): Promise<void>;
  /** Removes the images and containers of this run. */
  close(): Promise<void>;
}

/** What every runtime does with images. */
export function imagesContract(open: () => Promise<ImagesHarness>): void {
  let harness: ImagesHarness;
  before(async () => {
    harness = await open();
  });
  after(() => harness.close());

  const { done, finish } = completionsOf((what, condition) => harness.until(what, condition));
  const pull = (repository: string, more: Partial<PullRequest> = {}): Promise<ImageInfo> => {
    const reference = `${harness.registry}/${repository}`;
    const request = { reference, credentials: undefined, onProgress: () => undefined, ...more };
    return done((callback) => harness.runtime.pull(request, callback));
  };
  const images = (): Promise<readonly StoredImage[]> => done((callback) => harness.runtime.images(callback));
  const remove = (reference: string): Promise<void> =>
    finish((callback) => harness.runtime.removeImage(reference, callback));
  const load = async (archive: Uint8Array, pieceBytes: number): Promise<string> => {
    const seen: { open?: true; end?: Error | null; text: string } = { text: "" };
    let room = true;
    const stream = harness.runtime.loadImages({
      onOpen: () => (seen.open = true),
      onData: (_, bytes) => {
        seen.text += new TextDecoder().decode(bytes);
        return true;
      },
      onDrain: () => (room = true),
      onEnd: (error) => (seen.end = error),
      onResume: undefined,
    });
    await harness.until("taking", () => seen.open === true);
    for (let at = 0; at < archive.length && seen.end === undefined; at += pieceBytes) {
      await harness.until("room", () => room || seen.end !== undefined);
      room = stream.write(archive.subarray(at, at + pieceBytes));
    }
    stream.end();
    await harness.until("loaded", () => seen.end !== undefined);
    if (seen.end) throw seen.end;
    return seen.text;
  };
  const refused = (reason: string, words: RegExp) => (error: unknown) => {
    assert.ok(error instanceof IkadaError, String(error));
    assert.equal(error.reason, reason, error.message);
    assert.match(error.message, words);
    return true;
  };

  it("pulls, and lists what is there", async () => {
    await harness.push("open/app", "1", "one");
    const image = await pull("open/app:1");
    const listed = (await images()).find(({ id }) => id === image.id);
    assert.deepEqual(listed?.tags, [`${harness.registry}/open/app:1`]);
    assert.equal(listed?.inUse, false);
    assert.ok((listed?.sizeBytes ?? 0) > 0);
  });

  it("what the registry does not have is NotFound, in its words", () =>
    assert.rejects(pull("open/none:1"), refused("NotFound", /manifest unknown|not found/)));

  it("a registry that nobody reaches is Unavailable", () =>
    assert.rejects(pull("", { reference: "127.0.0.1:1/app:1" }), refused("Unavailable", /refused/)));

  it("wrong credentials and none are refused, right ones are not; none is told", async () => {
    await harness.push("hidden/app", "1", "hidden");
    const reference = `${harness.privateRegistry}/hidden/app:1`;
    const credentials = { registry: harness.privateRegistry, ...registryUser, identityToken: "" };
    const wrong = { ...credentials, password: "a-wrong-guess" };
    const unauthorized = refused("Forbidden", /authenti|unauthorized|no basic auth/);
    await assert.rejects(pull("", { reference }), unauthorized);
    await assert.rejects(pull("", { reference, credentials: wrong }), (error) => {
      assert.doesNotMatch(String((error as Error).stack), /a-wrong-guess/);
      return unauthorized(error);
    });
    assert.ok((await pull("", { reference, credentials })).id);
  });

  it("a tag that moves between two pulls leaves the old image without it, and what was made of it as it is", async () => {
    await harness.push("open/moves", "1", "old");
    const old = await pull("open/moves:1");
    const image = `${harness.registry}/open/moves:1`;
    const spec = plainSpec({ image, podUid: newPodUid(), podName: "moves", command: ["/text.txt"] });
    const container = await done<string>((callback) => harness.runtime.create(spec, callback));
    await harness.push("open/moves", "1", "new");
    const moved = await pull("open/moves:1");
    assert.notEqual(moved.id, old.id);
    const both = (await images()).filter(({ id }) => id === old.id || id === moved.id);
    assert.deepEqual(
      new Map(both.map(({ id, tags, inUse }) => [id, { tags, inUse }])),
      new Map([
        [old.id, { tags: [], inUse: true }],
        [moved.id, { tags: [image], inUse: false }],
      ]),
    );
    await assert.rejects(remove(old.id), refused("Conflict", /remove image/));
    await finish((callback) => harness.runtime.remove(container, callback));
    await remove(old.id);
    await remove(image);
    const left = new Set((await images()).map(({ id }) => id));
    assert.ok(!left.has(old.id) && !left.has(moved.id));
    await remove(image);
  });

  it("an image is found and pulled by the digest that its registry gave it, and by its id, whatever became of its tag", async () => {
    await harness.push("open/pinned", "1", "pinned");
    const image = await pull("open/pinned:1");
    const [digest = ""] = image.digests;
    assert.match(digest, new RegExp(`^${harness.registry}/open/pinned@sha256:[0-9a-f]{64}$`));
    await harness.push("open/pinned", "1", "another");
    assert.notEqual((await pull("open/pinned:1")).id, image.id);
    const find = (reference: string): Promise<ImageInfo | undefined> =>
      done((callback) => harness.runtime.image(reference, callback));
    for (const reference of [digest, image.id]) {
      assert.deepEqual(await find(reference), image, reference);
      const spec = plainSpec({ image: reference, podUid: newPodUid(), podName: "pinned", command: ["/text.txt"] });
      const container = await done<string>((callback) => harness.runtime.create(spec, callback));
      const info = await done<ContainerInfo | undefined>((callback) => harness.runtime.inspect(container, callback));
      assert.deepEqual([info?.image, info?.imageId], [reference, image.id]);
      await finish((callback) => harness.runtime.remove(container, callback));
    }
    await remove(image.id);
    assert.equal(await find(digest), undefined);
    const again = await pull("", { reference: digest });
    assert.deepEqual([again.id, again.digests], [image.id, [digest]]);
    assert.deepEqual((await images()).find(({ id }) => id === image.id)?.tags, []);
  });

  it("an image from an archive has no digest of a registry", async () => {
    const name = `${harness.registry}/loaded/plain:1`;
    await load(await savedImage(name, "plain"), 65_536);
    const image = await done<ImageInfo | undefined>((callback) => harness.runtime.image(name, callback));
    assert.deepEqual(image?.digests, []);
    assert.match(image.id, /^sha256:[0-9a-f]{64}$/);
  });

  it("loads an archive that comes in pieces", async () => {
    const name = `${harness.registry}/loaded/app:7`;
    const archive = await savedImage(name, `from a file, as ${name}`);
    for (const pieceBytes of [700, archive.length]) assert.equal(await load(archive, pieceBytes), `${name}\n`);
    const image = await done<ImageInfo | undefined>((callback) => harness.runtime.image(name, callback));
    assert.deepEqual((await images()).find(({ id }) => id === image?.id)?.tags, [name]);
  });

  it("refuses what is no archive of images", async () => {
    await assert.rejects(
      load(new TextEncoder().encode("no tar at all".repeat(100)), 100),
      refused("BadRequest", /load images/),
    );
    await assert.rejects(load(new Uint8Array(10_240), 4_096), refused("BadRequest", /load images/));
  });

  it("an archive whose sender goes loads nothing", async () => {
    const name = `${harness.registry}/half/app:1`;
    const archive = await savedImage(name, "half".repeat(300_000));
    let isOpen = false;
    const stream = harness.runtime.loadImages({
      onOpen: () => (isOpen = true),
      onData: () => assert.fail("it told of an image"),
      onDrain: () => undefined,
      onEnd: () => assert.fail("nobody listens any more"),
      onResume: undefined,
    });
    await harness.until("taking", () => isOpen);
    stream.write(archive.subarray(0, archive.length / 2));
    stream.close();
    // The engine is as well as before, and takes the same archive as a whole.
    assert.equal(await done((callback) => harness.runtime.image(name, callback)), undefined);
    assert.equal(await load(archive, 65_536), `${name}\n`);
  });

  it("knows the disk that images are on", async () => {
    const disk = await done<DiskSpace>((callback) => harness.runtime.imageDisk(callback));
    assert.ok(disk.capacityBytes > 0 && disk.availableBytes > 0 && disk.availableBytes <= disk.capacityBytes);
  });
}
