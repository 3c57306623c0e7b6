import Dockerode from "dockerode";
import { accessContract } from "../contract/access.js";
import { imagesContract, type ImagesHarness } from "../contract/images.js";
import { runtimeContract, type RuntimeHarness } from "../contract/runtime.js";
import { TestRegistry } from "../test-registry.js";
import { byHand, ensureTestImage, socketPath, testCluster, testImage } from "./test-engine.js";

describe("container runtime: docker", function () {
  this.timeout(60_000);
  const open = async (): Promise<RuntimeHarness> => {
    await ensureTestImage();
    const cluster = testCluster();
    return {
      runtime: cluster.runtime("a"),
      stranger: cluster.runtime("b"),
      volumes: cluster.volumes,
      image: testImage,
      until: async (what, condition) => {
        const limit = performance.now() + 45_000;
        while (!condition()) {
          if (performance.now() > limit) throw new Error(`not within 45 s: ${what}`);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      },
      pause: (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs)),
      impostor: async (id) => {
        const docker = new Dockerode({ socketPath });
        const { Config } = await docker.getContainer(id).inspect();
        const options = { name: `by-hand-${id.slice(0, 8)}`, Image: testImage, Cmd: ["sleep", "60"] };
        return (await docker.createContainer({ ...options, Labels: Config.Labels })).id;
      },
      alter: (id, how) => byHand(new Dockerode({ socketPath }), id, how),
      close: () => cluster.close(),
    };
  };
  const openImages = async (): Promise<ImagesHarness> => {
    const opened = await open();
    const registries = [new TestRegistry(false), new TestRegistry(true)] as const;
    await Promise.all(registries.map((registry) => registry.listen()));
    const [registry, privateRegistry] = [registries[0].address, registries[1].address];
    return {
      runtime: opened.runtime,
      until: (what, condition) => opened.until(what, condition),
      registry,
      privateRegistry,
      push: async (repository, tag, text) => {
        for (const each of registries) await each.push(repository, tag, text);
      },
      close: async () => {
        await opened.close();
        for (const each of registries) await each.close();
        const docker = new Dockerode({ socketPath });
        for (const { RepoTags, RepoDigests, Id } of await docker.listImages()) {
          const names = [...(RepoTags ?? []), ...(RepoDigests ?? [])];
          if (names.some((name) => [registry, privateRegistry].some((host) => name.startsWith(`${host}/`))))
            await docker.getImage(Id).remove({ force: true });
        }
      },
    };
  };
  runtimeContract(open);
  describe("ways into containers", () => accessContract(open));
  describe("images", () => imagesContract(openImages));
});
