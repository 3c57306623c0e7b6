import Dockerode from "dockerode";
import { accessContract } from "../contract/access.js";
import { runtimeContract, type RuntimeHarness } from "../contract/runtime.js";
import { ensureTestImage, socketPath, testCluster, testImage } from "./test-engine.js";

describe("container runtime: docker", function () {
  this.timeout(60_000);
  const open = async (): Promise<RuntimeHarness> => {
    await ensureTestImage();
    const cluster = testCluster();
    return {
      runtime: cluster.runtime("a"),
      stranger: cluster.runtime("b"),
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
      close: () => cluster.close(),
    };
  };
  runtimeContract(open);
  describe("ways into containers", () => accessContract(open));
});
