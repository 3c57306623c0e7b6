import { createServer } from "node:net";

/** Below the range from which Linux takes the ports of outgoing connections, one of which might come in between. */
const portMin = 20_000;
const runs = 126;
const runLength = 100;

/** The start of a run of `count` (at most 100) ports of 127.0.0.1 that are free now. */
export async function freePorts(count: number): Promise<number> {
  for (let tries = 0; tries < 50; tries += 1) {
    const base = portMin + Math.floor(Math.random() * runs) * runLength;
    const ports = Array.from({ length: count }, (_, index) => base + index);
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return base;
  }
  throw new Error("no run of free ports was found");
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}
