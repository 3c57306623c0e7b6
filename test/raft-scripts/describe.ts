/** What the core does, in the words of etcd/raft's scripts. */
import type { ProgressStatus } from "../../raft/core/raft.js";
import type { ConfState, Entry, HardState, Message, NodeId, SnapshotMeta, SoftState } from "../../raft/core/types.js";
import { decodeChange } from "./change-codec.js";
import { quoted, slice } from "./go-text.js";
import { senderName, type LocalMessage, type ScriptMessage } from "./messages.js";
import type { PendingReady } from "./pending-ready.js";
import { stepsText } from "./steps.js";

export function configurationText(configuration: ConfState): string {
  const { voters, outgoing, learners, learnersNext, autoLeave } = configuration;
  let text = `voters=${setText(voters)}`;
  if (outgoing.length > 0) text += `&&${setText(outgoing)}`;
  if (learners.length > 0) text += ` learners=${setText(learners)}`;
  if (learnersNext.length > 0) text += ` learners_next=${setText(learnersNext)}`;
  return autoLeave ? `${text} autoleave` : text;
}

function setText(ids: readonly NodeId[]): string {
  return `(${ids.map((id) => id.toString(16)).join(" ")})`;
}

export function softStateText({ leader, role }: SoftState): string {
  return `Lead:${leader} State:State${role}`;
}

export function hardStateText({ term, vote, commit }: HardState): string {
  return `HardState Term:${term}${vote === 0 ? "" : ` Vote:${vote}`} Commit:${commit}`;
}

export function entryText(entry: Entry): string {
  const place = `${entry.term}/${entry.index}`;
  if (entry.type === "Normal") return `${place} EntryNormal ${quoted(entry.data)}`;
  const change = decodeChange(entry);
  const steps = stepsText(change.steps);
  return `${place} EntryConfChange${change.v1 ? "" : "V2"}${steps === "" ? "" : ` ${steps}`}`;
}

export function entriesText(entries: readonly Entry[]): string {
  return entries.map((entry) => `${entryText(entry)}\n`).join("");
}

function snapshotText({ index, term, configuration }: SnapshotMeta): string {
  const { voters, outgoing, learners, learnersNext, autoLeave } = configuration;
  return (
    `Index:${index} Term:${term} ConfState:Voters:${slice(voters)} VotersOutgoing:${slice(outgoing)} ` +
    `Learners:${slice(learners)} LearnersNext:${slice(learnersNext)} AutoLeave:${autoLeave}`
  );
}

/** A whole Ready; with storage threads, what goes to them is among its messages. */
export function readyText(ready: PendingReady, messages: readonly ScriptMessage[]): string {
  const { softState, hardState, readStates, entries, snapshot, committedEntries, mustSync } = ready;
  let text = "";
  if (softState !== undefined) text += `${softStateText(softState)}\n`;
  if (hardState !== undefined) text += `${hardStateText(hardState)}\n`;
  if (readStates.length > 0) {
    text += `ReadStates ${slice(readStates.map(({ index, context }) => `{${index} [${context}]}`))}\n`;
  }
  if (entries.length > 0) text += `Entries:\n${entriesText(entries)}`;
  if (snapshot !== undefined) text += `Snapshot ${snapshotText(snapshot)}\n`;
  if (committedEntries.length > 0) text += `CommittedEntries:\n${entriesText(committedEntries)}`;
  if (messages.length > 0) text += `Messages:\n${messages.map((message) => `${messageText(message)}\n`).join("")}`;
  return text === "" ? "<empty Ready>" : `Ready MustSync=${mustSync}:\n${text}`;
}

export function messageText(message: ScriptMessage, indent = ""): string {
  return "local" in message ? localText(message, indent) : networkText(message, indent);
}

function networkText(message: Message, indent: string): string {
  const { type, to, logTerm, index, reject, rejectHint, commit, entries, snapshot } = message;
  // etcd/raft does not name a term in what is forwarded.
  const term = type === "MsgProp" || type === "MsgReadIndex" ? 0 : message.term;
  let text = `${indent}${idText(senderName(message))}->${idText(to)} ${type} Term:${term} Log:${logTerm}/${index}`;
  if (reject) text += ` Rejected (Hint: ${rejectHint})`;
  if (commit > 0) text += ` Commit:${commit}`;
  text += inlineEntries(entries, indent);
  if (snapshot !== undefined) text += `\n${indent}  Snapshot: ${snapshotText(snapshot)}`;
  return text;
}

function localText(message: LocalMessage, indent: string): string {
  const { local, node, term, logTerm, index, hardState, entries, snapshot, responses } = message;
  const isAnswer = local.endsWith("Resp");
  const thread = local.startsWith("MsgStorageAppend") ? "AppendThread" : "ApplyThread";
  const route = isAnswer ? `${thread}->${idText(node)}` : `${idText(node)}->${thread}`;
  let text = `${indent}${route} ${local} Term:${term} Log:${logTerm}/${index}`;
  if (hardState !== undefined && hardState.commit > 0) text += ` Commit:${hardState.commit}`;
  if (hardState !== undefined && hardState.vote > 0) text += ` Vote:${hardState.vote}`;
  text += inlineEntries(entries, indent);
  if (snapshot !== undefined) text += `\n${indent}  Snapshot: ${snapshotText(snapshot)}`;
  if (responses.length === 0) return text;
  const inside = responses.map((response) => `\n${messageText(response, `${indent}  `)}`).join("");
  return `${text} Responses:[${inside}\n${indent}]`;
}

function inlineEntries(entries: readonly Entry[], indent: string): string {
  if (entries.length === 0) return "";
  if (entries.length === 1) return ` Entries:[${entryText(entries[0]!)}]`;
  return ` Entries:[${entries.map((entry) => `\n${indent}  ${entryText(entry)}`).join("")}\n${indent}]`;
}

function idText(id: NodeId): string {
  return id === 0 ? "None" : id.toString(16);
}

/** One line of `status`. */
export function progressText(progress: ProgressStatus, isLearner: boolean, isFull: boolean, isSelf: boolean): string {
  const { id, state, match, next, paused, pendingSnapshot, active, inflightMessages } = progress;
  let text = `${id}: State${state} match=${match} next=${next}`;
  if (isLearner) text += " learner";
  if (paused || state === "Snapshot") text += " paused";
  if (state === "Snapshot") text += ` pendingSnap=${pendingSnapshot}`;
  if (!active && !isSelf) text += " inactive";
  if (inflightMessages > 0) text += ` inflight=${inflightMessages}${isFull ? "[full]" : ""}`;
  return `${text}\n`;
}
