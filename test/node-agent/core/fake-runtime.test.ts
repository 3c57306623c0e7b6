import { fakeDigest, FakeEngine } from "../../../node-agent/core/fake-engine.js";
import { shellImage, type FakeImage } from "../../../node-agent/core/fake-program.js";
import { FakeRuntime } from "../../../node-agent/core/fake-runtime.js";
import { accessContract } from "../contract/access.js";
import { imagesContract } from "../contract/images.js";
import { registryUser } from "../test-registry.js";
import type { RegistryCredentials } from "../../../node-agent/core/registry-credentials.js";
import { runtimeContract, type RuntimeHarness } from "../contract/runtime.js";
import { VirtualWorld } from "../virtual-world.js";

describe("container runtime: fake", () => {
  const open = async (): Promise<RuntimeHarness> => {
    const world = new VirtualWorld();
    const { clock, timers } = world;
    const image = "ikada-test/busybox:2";
    const serve = (port: number) => (port === 8080 ? { status: 404, takesMs: 1 } : undefined);
    const serving = { ...shellImage, serve };
    const engine = new FakeEngine({ clock, timers, images: { [image]: serving }, registry: () => "no registry" });
    return {
      runtime: new FakeRuntime(engine, { clusterId: "contract", node: "a" }),
      stranger: new FakeRuntime(engine, { clusterId: "contract", node: "b" }),
      volumes: engine.volumes,
      image,
      until: async (what, condition) => {
        world.until(what, condition);
      },
      pause: async (durationMs) => world.pass(durationMs),
      impostor: async (id) => {
        const { owner, spec } = engine.require(id);
        return engine.create(owner, spec, true);
      },
      alter: async (id, how) => engine.alter(id, how),
      close: async () => undefined,
    };
  };
  runtimeContract(open);
  describe("ways into containers", () => accessContract(open));
  describe("images", () =>
    imagesContract(async () => {
      const world = new VirtualWorld();
      const { clock, timers } = world;
      const [address, hidden] = ["registry.test:5000", "private.test:5000"];
      const pushed = new Map<string, FakeImage>();
      const registry = (reference: string, credentials?: RegistryCredentials): FakeImage | string => {
        const isKnown =
          credentials?.username === registryUser.username && credentials.password === registryUser.password;
        if (reference.startsWith("127.0.0.1:1/")) return "dial tcp 127.0.0.1:1: connect: connection refused";
        if (reference.startsWith(`${hidden}/`) && !isKnown) return "unauthorized: authentication required";
        return pushed.get(reference) ?? "manifest unknown";
      };
      const engine = new FakeEngine({ clock, timers, images: {}, registry });
      return {
        runtime: new FakeRuntime(engine, { clusterId: "contract", node: "a" }),
        registry: address,
        privateRegistry: hidden,
        push: async (repository, tag, text) => {
          const image = { ...shellImage, id: fakeDigest(text) };
          for (const host of [address, hidden])
            for (const name of [`:${tag}`, `@${fakeDigest(image.id)}`])
              pushed.set(`${host}/${repository}${name}`, image);
        },
        until: async (what, condition) => {
          world.until(what, condition);
        },
        close: async () => undefined,
      };
    }));
});
