import assert from "node:assert/strict";
import { fakeDigest } from "../../../node-agent/core/fake-engine.js";
import { obligingImage, shellImage, type FakeImage } from "../../../node-agent/core/fake-program.js";
import { encodePins, imagePinsAnnotation, pinImagesAnnotation } from "../../../src/api/image-pins.js";
import type { Container, PodSpec } from "../../../src/api/kinds/pod.js";
import { AgentWorld, podOf } from "../agent-world.js";

const image = "r.io/app:1";
const bytes = (text: string): FakeImage & { readonly id: string } => ({ ...shellImage, id: fakeDigest(text) });
const [old, moved] = [bytes("old"), bytes("moved")];
const digestOf = ({ id }: { readonly id: string }): string => `r.io/app@${fakeDigest(id)}`;

/** An agent with a registry whose tag stands for the old bytes until it is moved. */
class Registry {
  tag: FakeImage = old;
  readonly kept = [old, moved];
  readonly asked: string[] = [];
  readonly agent: AgentWorld;

  constructor(images: Record<string, FakeImage> = {}) {
    this.agent = new AgentWorld(images, (reference) => {
      this.asked.push(reference);
      if (reference === image) return this.tag;
      return this.kept.find((one) => digestOf(one) === reference) ?? "manifest unknown";
    });
    this.agent.boot();
    this.agent.connect();
  }
}

const main = (more: Partial<Container> = {}): Container => ({
  name: "main",
  image,
  command: ["sleep", "9999999"],
  ...more,
});
const pinnedTo = (pin: string) => ({ annotations: { [imagePinsAnnotation]: encodePins(new Map([[image, pin]])) } });
const app = (spec: Partial<PodSpec> = {}, metadata = {}) => podOf("a", { containers: [main()], ...spec }, metadata);

function made(agent: AgentWorld, phase = "running"): string[] {
  return [...agent.engine.containers.values()]
    .filter(({ info }) => info.role === "container" && info.phase === phase)
    .map(({ info }) => `${info.containerName}/${info.attempt} ${info.imageId}`);
}

describe("the bytes of a Pod's images", () => {
  for (const imagePullPolicy of ["Always", "IfNotPresent"] as const)
    it(`are the same for each start of its containers, also by an agent that has just begun (${imagePullPolicy})`, () => {
      const registry = new Registry();
      const { agent } = registry;
      agent.assign(app({ containers: [main({ imagePullPolicy })] }));
      agent.world.until("ready", () => agent.ready("a"));
      assert.equal(agent.status("a").containerStatuses?.[0]?.imageID, digestOf(old));
      registry.tag = moved;
      agent.engine.images.set(image, moved);
      agent.engine.exit(agent.engine.require(agent.find("uid-a/main/0")), 1, false);
      agent.world.until("started again", () => made(agent)[0] === `main/1 ${old.id}`);
      agent.crash();
      agent.boot();
      agent.connect();
      agent.engine.exit(agent.engine.require(agent.find("uid-a/main/1")), 1, false);
      agent.world.until("and again", () => made(agent)[0] === `main/2 ${old.id}`);
    });

  it("are what the tag stands for at each start where the Pod says so", () => {
    const registry = new Registry();
    const { agent } = registry;
    const metadata = { annotations: { [pinImagesAnnotation]: "false" } };
    agent.assign(app({ containers: [main({ imagePullPolicy: "Always" })] }, metadata));
    agent.world.until("ready", () => agent.ready("a"));
    registry.tag = moved;
    agent.engine.exit(agent.engine.require(agent.find("uid-a/main/0")), 1, false);
    agent.world.until("started again", () => made(agent)[0] === `main/1 ${moved.id}`);
  });

  it("are one for two containers with one image, whenever they start", () => {
    const registry = new Registry();
    const { agent } = registry;
    agent.assign(app({ initContainers: [main({ name: "init", command: ["sleep", "5"], imagePullPolicy: "Always" })] }));
    agent.world.until("init", () => made(agent).length === 1);
    registry.tag = moved;
    agent.engine.images.set(image, moved);
    agent.world.until("ready", () => agent.ready("a"));
    assert.deepEqual(made(agent), [`main/0 ${old.id}`]);
  });

  it("are looked up afresh for another image in its spec", () => {
    const { agent } = new Registry({ "other:1": obligingImage });
    agent.assign(app());
    agent.world.until("ready", () => agent.ready("a"));
    agent.assign(app({ containers: [main({ image: "other:1" })] }));
    agent.world.until("other", () => agent.status("a").containerStatuses?.[0]?.imageID === fakeDigest("other:1"));
    assert.deepEqual(made(agent), [`main/1 ${fakeDigest("other:1")}`]);
  });

  it("a server tells: the right ones are here before the wrong ones end, and the wait is not a crash's", () => {
    const registry = new Registry();
    const { agent } = registry;
    registry.tag = moved;
    agent.assign(app());
    agent.world.until("ready", () => agent.ready("a"));
    registry.kept.shift();
    agent.assign(app({}, pinnedTo(digestOf(old))));
    agent.world.pass(30_000);
    assert.deepEqual(made(agent), [`main/0 ${moved.id}`], "what can't be had ends nothing");
    assert.ok(agent.ready("a"));
    registry.kept.push(old);
    agent.world.until("the right ones", () => made(agent)[0] === `main/1 ${old.id}`);
    agent.world.pass(600_000);
    assert.deepEqual(made(agent), [`main/1 ${old.id}`]);
    const status = agent.status("a").containerStatuses?.[0];
    assert.deepEqual([status?.restartCount, status?.imageID], [1, digestOf(old)]);
  });

  it("the same bytes by another name restart nothing", () => {
    const { agent } = new Registry();
    agent.assign(app());
    agent.world.until("ready", () => agent.ready("a"));
    agent.assign(app({}, pinnedTo(old.id)));
    agent.world.pass(10_000);
    assert.deepEqual(made(agent), [`main/0 ${old.id}`]);
  });

  it("wrong ones of an init container make it run again, and all that follows it", () => {
    const registry = new Registry();
    const { agent } = registry;
    registry.tag = moved;
    const spec = { initContainers: [main({ name: "init", command: ["true"] })] };
    agent.assign(app(spec));
    agent.world.until("ready", () => agent.ready("a"));
    agent.assign(app(spec, pinnedTo(digestOf(old))));
    agent.world.until("ready again", () => made(agent)[0] === `main/1 ${old.id}` && agent.ready("a"));
    assert.ok(made(agent, "exited").includes(`init/1 ${old.id}`), made(agent, "exited").join());
  });

  it("by an image's id are what is here, or what the registry still has of them", () => {
    const loaded = new Registry({ [image]: old });
    loaded.tag = moved;
    loaded.agent.assign(app({}, pinnedTo(old.id)));
    loaded.agent.world.until("ready", () => loaded.agent.ready("a"));
    assert.deepEqual(loaded.asked, [], "it was here");

    const same = new Registry();
    same.agent.assign(app({}, pinnedTo(old.id)));
    same.agent.world.until("ready", () => same.agent.ready("a"));
    assert.deepEqual(made(same.agent), [`main/0 ${old.id}`]);

    const other = new Registry();
    other.tag = moved;
    other.agent.assign(app({}, pinnedTo(old.id)));
    const waiting = () => other.agent.statuses.get("uid-a")?.containerStatuses?.[0]?.state?.waiting;
    other.agent.world.until("refused", () => /Err|BackOff/.test(waiting()?.reason ?? ""));
    assert.match(waiting()?.message ?? "", new RegExp(`is ${moved.id} in its registry.*is ${old.id} in this revision`));
    assert.match(waiting()?.message ?? "", /rollout restart/);
    assert.deepEqual(made(other.agent), []);
  });

  it("that are not here are told with the policy Never", () => {
    const { agent } = new Registry({ [image]: moved });
    agent.assign(app({ containers: [main({ imagePullPolicy: "Never" })] }, pinnedTo(old.id)));
    const waiting = () => agent.statuses.get("uid-a")?.containerStatuses?.[0]?.state?.waiting;
    agent.world.until("refused", () => waiting()?.reason === "ErrImageNeverPull");
    assert.match(waiting()?.message ?? "", new RegExp(`in this revision it is ${old.id}; load that one here, or`));
  });
});
