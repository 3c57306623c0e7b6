import { ikada } from "#proto/agent.js";
import { method } from "./grpc.js";

const { agent } = ikada;
const { Agent, Replicas } = agent.v1;

/** The methods of proto/agent.proto that agents call. */
export const agentMethods = {
  session: method(Agent.prototype.session, agent.v1.AgentMessage, agent.v1.ServerMessage),
  podStream: method(Agent.prototype.podStream, agent.v1.StreamFrame, agent.v1.StreamFrame),
} as const;

/** The methods of proto/agent.proto that servers call on each other. */
export const replicaMethods = {
  shareLiveness: method(Replicas.prototype.shareLiveness, agent.v1.Liveness, agent.v1.LivenessSeen),
  podStream: method(Replicas.prototype.podStream, agent.v1.RemotePodStream, agent.v1.StreamFrame),
  changeMembers: method(Replicas.prototype.changeMembers, agent.v1.ForwardedMemberChange, agent.v1.MembersChanged),
  lease: method(Replicas.prototype.lease, agent.v1.LeaseQuestion, agent.v1.LeaseAnswer),
  status: method(Replicas.prototype.status, agent.v1.ReplicaStatusRequest, agent.v1.ReplicaStatusResponse),
} as const;
