import type { Entry, HardState, Index, Message, NodeId, SnapshotMeta, Term } from "../../raft/core/types.js";

export type LocalType = "MsgStorageAppend" | "MsgStorageAppendResp" | "MsgStorageApply" | "MsgStorageApplyResp";

/**
 * Between a node and its storage threads. The core knows no such messages: it hands out Readies and is told of numbers;
 * the node of the scripts makes messages of both, as etcd/raft's asynchronous storage has them.
 */
export interface LocalMessage {
  readonly local: LocalType;
  readonly node: NodeId;
  readonly term: Term;
  readonly logTerm: Term;
  readonly index: Index;
  readonly hardState: HardState | undefined;
  readonly entries: readonly Entry[];
  readonly snapshot: SnapshotMeta | undefined;
  /** What leaves once the thread is done with this. */
  readonly responses: readonly ScriptMessage[];
  /** Which Ready of the core this is, for `persisted`. */
  readonly number: number;
}

/** What is on its way: to other nodes, to this node itself, or to it from its threads. */
export type ScriptMessage = Message | LocalMessage;

export function recipient(message: ScriptMessage): NodeId {
  return "local" in message ? message.node : message.to;
}

export function typeOf(message: ScriptMessage): string {
  return "local" in message ? message.local : message.type;
}

/** Never lost: it stays within the node. */
export function isWithinNode(message: ScriptMessage): boolean {
  return "local" in message || senderName(message) === message.to;
}

/** etcd/raft passes a wish for another leader on in the name of who is to lead. */
export function senderName(message: Message): NodeId {
  return message.type === "MsgTransferLeader" ? message.context : message.from;
}

const messageTypes = [
  "MsgHup MsgBeat MsgProp MsgApp MsgAppResp MsgVote MsgVoteResp MsgSnap MsgHeartbeat MsgHeartbeatResp MsgUnreachable",
  "MsgSnapStatus MsgCheckQuorum MsgTransferLeader MsgTimeoutNow MsgReadIndex MsgReadIndexResp MsgPreVote MsgPreVoteResp",
  "MsgStorageAppend MsgStorageAppendResp MsgStorageApply MsgStorageApplyResp MsgForgetLeader",
];

export const knownTypes: ReadonlySet<string> = new Set(messageTypes.flatMap((line) => line.split(" ")));

/** An answer, which etcd/raft does not take from a node that is no member in the receiver's eyes. */
export function isResponse(message: Message): boolean {
  return message.type.endsWith("Resp");
}
