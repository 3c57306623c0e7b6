import { limits } from "../../src/base/limits.js";
import type { Index, Message, NodeId } from "../../raft/core/types.js";
import { Violation } from "./violation.js";

/** What one leader has sent to one member in one session and that was not answered yet, as seen from outside. */
interface Window {
  /** The last index of each append with entries, ascending. */
  readonly ends: Index[];
  answered: Index;
}

/** R15: windows and messages keep to their bounds. An answer counts when it leaves, which is before the leader counts it. */
export class BoundsInvariants {
  readonly #entriesMax: number;
  readonly #windowMax: number;
  readonly #windows = new Map<string, Window>();

  constructor(bounds: { readonly appendEntriesMax: number; readonly inflightMessagesMax: number }) {
    this.#entriesMax = bounds.appendEntriesMax;
    this.#windowMax = bounds.inflightMessagesMax;
  }

  onBatch(messages: readonly Message[]): void {
    if (messages.length > limits.peerQueueMessagesMax) fail(`${messages.length} messages in one batch`);
    for (const message of messages) {
      if (message.type === "MsgApp" && message.entries.length > 0) this.#onAppend(message);
      else if (message.type === "MsgAppResp") this.#onAnswer(message);
    }
  }

  /** A snapshot is on its way: the leader begins a new window behind it. */
  onSnapshot(from: NodeId, to: NodeId): void {
    for (const [key, window] of this.#windows) if (key.startsWith(`${from} ${to} `)) window.ends.length = 0;
  }

  #onAppend({ from, to, term, session, index, entries }: Message): void {
    if (entries.length > this.#entriesMax) fail(`${entries.length} entries in one append of ${from} to ${to}`);
    const key = `${from} ${to} ${term} ${session}`;
    let window = this.#windows.get(key);
    if (!window) this.#windows.set(key, (window = { ends: [], answered: 0 }));
    const { ends } = window;
    // Back to a place before: the leader has found out about a loss and begun anew.
    if (index < (ends.at(-1) ?? 0)) ends.length = 0;
    if (index + entries.length > window.answered) ends.push(index + entries.length);
    if (ends.length > this.#windowMax) fail(`${ends.length} appends of ${from} in flight to ${to}`);
  }

  #onAnswer({ from, to, term, session, index, reject }: Message): void {
    const window = this.#windows.get(`${to} ${from} ${term} ${session}`);
    if (!window || reject) return;
    window.answered = Math.max(window.answered, index);
    while ((window.ends[0] ?? Infinity) <= index) window.ends.shift();
  }
}

function fail(what: string): never {
  throw new Violation("R15 bounds", what);
}
