import type { ServerDuplexStream } from "@grpc/grpc-js";
import type { ikada } from "#proto/agent.js";
import { ikada as api } from "#proto/api.js";
import { IkadaError } from "../../base/errors.js";
import { replicaMethods } from "../../host/agent-methods.js";
import { readMessages, writeMessage } from "../../host/grpc.js";
import type { AgentService } from "../agents/agent-service.js";
import { firstMessage } from "../agents/first-message.js";
import type { LivenessTable } from "../agents/liveness-table.js";
import type { FrameSource } from "../agents/pod-streams.js";
import type { LeaseClock } from "../etcd/lease-clock.js";
import type { Call, Listener } from "../listener.js";
import type { AddressBook } from "../members/address-book.js";
import { changeMembers } from "../members/change-members.js";
import type { MemberOperations } from "../members/member-operations.js";
import type { ReplicaControl } from "../replica-status.js";
import type { ReplicaLinks } from "./replica-links.js";

export interface ReplicasServiceOptions {
  readonly members: AddressBook;
  readonly liveness: LivenessTable;
  readonly agents: AgentService;
  readonly replica: ReplicaControl;
  readonly version: string;
  readonly links: ReplicaLinks;
  readonly operations: MemberOperations;
  readonly leases: LeaseClock;
}

const openMsMax = 10_000;

type LivenessStream = ServerDuplexStream<ikada.agent.v1.Liveness, ikada.agent.v1.ILivenessSeen>;

/** ikada.agent.v1.Replicas: what the other replicas ask of this one. */
export function addReplicasService(listener: Listener, options: ReplicasServiceOptions): void {
  const latest = new Map<number, LivenessStream>();
  listener.bidi(replicaMethods.shareLiveness, (stream, call) => takeLiveness(options, latest, stream, call));
  listener.bidi(replicaMethods.podStream, async (stream, call) => {
    const messages = readMessages<ikada.agent.v1.RemotePodStream>(stream, call.signal);
    const first = await firstMessage(messages, openMsMax, "no message that says which stream");
    if (first.done || !first.value.open) throw new IkadaError("BadRequest", "the first message says which stream");
    const { node, open } = first.value;
    // Whatever kind of stream: what it is for is between the asking replica and the agent.
    for await (const frame of options.agents.openStream(node, open, call.signal, framesOf(messages))) {
      await writeMessage(stream, frame, call.signal);
    }
  });
  listener.unary(replicaMethods.status, () => {
    const { progress, voters, learners, digests, ...status } = options.replica.status();
    const { version } = options;
    return Promise.resolve({
      ...status,
      voters: [...voters],
      learners: [...learners],
      progress: [...progress],
      digests: [...digests],
      version,
    });
  });
  listener.unary(replicaMethods.lease, async ({ id, renew }) => {
    const seconds = await options.leases.askHere(id, renew);
    return seconds === undefined ? {} : { seconds };
  });
  listener.unary(replicaMethods.changeMembers, async ({ request }, call) => {
    await changeMembers(options, api.api.v1.ChangeMembersRequest.decode(request), call);
    return {};
  });
}

async function* framesOf(messages: AsyncIterable<ikada.agent.v1.RemotePodStream>): FrameSource {
  for await (const { frame } of messages) if (frame) yield frame;
}

async function takeLiveness(
  { members, liveness }: ReplicasServiceOptions,
  latest: Map<number, LivenessStream>,
  stream: LivenessStream,
  call: Call,
): Promise<void> {
  // The certificate says which replica speaks; what the message says of itself must agree.
  const member = members.members.find(({ name }) => name === call.caller.name);
  if (!member) throw new IkadaError("Forbidden", `server "${call.caller.name}" is not a member`);
  latest.set(member.id, stream);
  try {
    for await (const { replica, nodes } of readMessages<ikada.agent.v1.Liveness>(stream, call.signal)) {
      if (replica !== member.id) {
        throw new IkadaError("Forbidden", `server "${member.name}" is replica ${member.id}, not ${replica}`);
      }
      if (latest.get(member.id) !== stream) return;
      liveness.learn(
        member.id,
        nodes.map(({ node, connected, silentMs, bootId }) => ({
          node: node ?? "",
          connected: connected ?? false,
          silentMs: silentMs ?? 0,
          bootId: bootId ?? "",
        })),
      );
      await writeMessage(stream, {}, call.signal);
    }
  } finally {
    if (latest.get(member.id) === stream) {
      latest.delete(member.id);
      liveness.lost(member.id);
    }
  }
}
