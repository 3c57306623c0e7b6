import { runtimeContract } from "../contract/runtime.js";
import { ensureTestImage, testCluster, testImage } from "./test-engine.js";

describe("container runtime: docker", function () {
  this.timeout(60_000);
  runtimeContract(async () => {
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
      close: () => cluster.close(),
    };
  });
});
