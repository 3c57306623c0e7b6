import { silentLog } from "../../../src/host/log.js";
import type { ConfState, Entry } from "../../../raft/core/types.js";
import { type ConsensusHandle, startConsensus } from "../../../raft/worker/handle.js";
import type { ConsensusWorkerOptions } from "../../../raft/worker/port-messages.js";
import type { FromMember, ToMember } from "./real-cluster.js";

/** A member as a process of its own, which a test can kill. Speaks with the test over its IPC channel. */

const send = (message: FromMember): void => void process.send?.(message);

async function run(options: ConsensusWorkerOptions): Promise<void> {
  let applied: (index: number) => void = () => undefined;
  const handlers = {
    onCommitted: (entries: readonly Entry[]) => {
      send({ type: "committed", entries: entries.map((entry) => ({ ...entry, data: entry.data.slice() })) });
      applied(entries.at(-1)?.index ?? 0);
    },
    // Nothing is cut here, so nobody needs one.
    onSnapshotWanted: () => undefined,
    onSnapshot: () => undefined,
    onReadIndex: (tag: number, index: number) => send({ type: "read", tag, index }),
    onRefused: (tag: number, reason: string) => send({ type: "refused", tag, reason }),
    onMembersChanged: (tag: number, configuration: ConfState) => send({ type: "changed", tag, configuration }),
    onStatus: (status: NonNullable<FromMember["status"]>) => send({ type: "status", status }),
    onFatal: (error: Error) => send({ type: "fatal", error: error.message }),
  };
  const handle = await startConsensus(options, handlers, silentLog);
  applied = (index) => handle.applied(index, 0);
  process.on("message", (message: ToMember) => {
    if (message.propose) handle.propose(message.tag ?? 0, message.propose);
    if (message.read !== undefined) handle.readIndex(message.read);
    if (message.change) handle.changeMembers(message.tag ?? 0, message.change);
    if (message.members) handle.setMembers(message.members);
    if (message.transferTo !== undefined) handle.transferLeadership(message.transferTo);
    if (message.stop) void stop(handle);
  });
  send({ type: "started" });
}

async function stop(handle: ConsensusHandle): Promise<void> {
  await handle.stop();
  process.disconnect();
}

process.once("message", (options: ConsensusWorkerOptions) => {
  run(options).catch((error: unknown) => {
    send({ type: "failed", error: (error as Error).message });
    process.disconnect();
  });
});
