import { eventually, RealCluster } from "../worker/real-cluster.js";

/**
 * Runs under strace: two members of three, so that each entry needs both, and each text given to the leader alone or with
 * others. A member's message `committed` over its IPC channel is the acknowledgement.
 */
const texts = process.argv.slice(2);
const cluster = await RealCluster.create(3);
try {
  const members = await cluster.start(1, 2);
  const leader = (): (typeof members)[number] | undefined => members.find(({ status }) => status?.role === "Leader");
  await eventually("a leader", () => leader() !== undefined, 30_000);
  const seen = (text: string): boolean => members.every((member) => member.texts.includes(text));
  const half = Math.ceil(texts.length / 2);
  for (const text of texts.slice(0, half)) {
    leader()?.propose(text);
    await eventually(text, () => seen(text), 30_000);
  }
  for (const text of texts.slice(half)) leader()?.propose(text);
  await eventually("all texts", () => texts.every((text) => seen(text)), 30_000);
} finally {
  await cluster.close();
}
