import type { RaftConfig } from "../../raft/core/config.js";
import type { ConfChangeTransition } from "../../raft/core/configuration.js";
import { draft } from "../../raft/core/message.js";
import type { ConfState, NodeId, SnapshotMeta } from "../../raft/core/types.js";
import { DirectiveError, needed, plain, plainNumbers, truth, valueOf, wholeNumber } from "./arguments.js";
import { entriesText, messageText, progressText } from "./describe.js";
import { isWithinNode, knownTypes, recipient, typeOf, type LocalMessage, type ScriptMessage } from "./messages.js";
import type { Argument, Directive } from "./script.js";
import { electionTicks, heartbeatTicks, ScriptNode, type NodeOptions } from "./script-node.js";
import { parseSteps } from "./steps.js";
import { Transcript } from "./transcript.js";

/** Rounds of `stabilize` after which a script is taken for one that never comes to rest. */
const roundsMax = 10_000;

const levels = ["DEBUG", "INFO", "WARN", "ERROR", "FATAL", "NONE"];
const encoder = new TextEncoder();

/** A group of nodes and the one list of messages between them: nothing moves unless a directive says so. */
export class InteractionScript {
  readonly #nodes: ScriptNode[] = [];
  #messages: ScriptMessage[] = [];
  readonly #transcript = new Transcript();

  /** Errors of the nodes are output; a `DirectiveError` says that the script itself can't be followed. */
  run(directive: Directive): string {
    const error = commands[directive.command]!(this, directive);
    const { isQuiet } = this.#transcript;
    const output = this.#transcript.take();
    // Errors are told even when nothing else is.
    if (typeof error === "string") return isQuiet ? error : output + error;
    return output === "" ? "ok" : output;
  }

  /** Drops what a directive had written when it failed. */
  discard(): void {
    this.#transcript.isQuiet = false;
    this.#transcript.take();
  }

  addNodes(directive: Directive): string | void {
    const [count] = plainNumbers(directive);
    if (count === undefined) throw new DirectiveError("add-nodes needs a number of nodes");
    const options = nodeOptions(directive);
    if (typeof options === "string") return options;
    const { snapshot } = options;
    if (snapshot !== undefined && snapshot.index <= 1) return "index must be specified as > 1 due to bootstrap";
    for (let added = 0; added < count; added++) {
      const id = this.#nodes.length + 1;
      this.#nodes.push(new ScriptNode(id, options, snapshot, (message) => void this.#messages.push(message)));
    }
  }

  node(id: number | undefined): ScriptNode {
    const node = id === undefined ? undefined : this.#nodes[id - 1];
    if (node === undefined) throw new DirectiveError(id === undefined ? "no node is named" : `there is no node ${id}`);
    return node;
  }

  nodes(directive: Directive): ScriptNode[] {
    return plainNumbers(directive).map((id) => this.node(id));
  }

  first(directive: Directive): ScriptNode {
    return this.node(plainNumbers({ ...directive, args: directive.args.slice(0, 1) })[0]);
  }

  setLogLevel(name: string): string | void {
    const level = levels.indexOf(name.toUpperCase());
    if (level < 0) return `log levels must be either of [${levels.join(" ")}]`;
    this.#transcript.isQuiet = levels[level] === "NONE";
  }

  proposeConfChange(directive: Directive): string | void {
    let v1 = false;
    let transition: ConfChangeTransition = "Auto";
    for (const { key, values } of directive.args.slice(1)) {
      for (const value of values) {
        if (key === "v1") v1 = truth(value, key);
        else if (key !== "transition") return `unknown command ${key}`;
        else if (!transitions.has(value)) return `unknown transition ${value}`;
        else transition = transitions.get(value)!;
      }
    }
    const steps = parseSteps(directive.input);
    if ("error" in steps) return steps.error;
    if (v1 && (steps.length > 1 || transition !== "Auto")) {
      return "v1 conf change can only have one operation and no transition";
    }
    if (v1 && steps.length === 0) throw new DirectiveError("a v1 conf change needs one operation");
    return this.first(directive).proposeChange({ v1, transition, steps });
  }

  processReadies(directive: Directive): void {
    this.#each(directive, "handling Ready", (node) => this.#transcript.write(node.processReady()));
  }

  processAppends(directive: Directive): void {
    this.#each(directive, "processing append thread", (node) => this.#processAppend(node));
  }

  processApplies(directive: Directive): void {
    this.#each(directive, "processing apply thread", (node) => this.#processApply(node));
  }

  /** With headings only when several nodes are named. */
  #each(directive: Directive, doing: string, process: (node: ScriptNode) => void): void {
    const nodes = this.nodes(directive);
    for (const node of nodes) {
      if (nodes.length === 1) process(node);
      else this.#transcript.section(`> ${node.id} ${doing}`, () => process(node));
    }
  }

  #processAppend(node: ScriptNode): void {
    const message = node.appendWork.shift();
    if (message === undefined) return this.#transcript.write("no append work to perform");
    this.#printWork(message);
    node.processAppend(message);
  }

  #processApply(node: ScriptNode): void {
    const message = node.applyWork.shift();
    if (message === undefined) return this.#transcript.write("no apply work to perform");
    this.#printWork(message);
    node.processApply(message);
  }

  #printWork(message: LocalMessage): void {
    this.#transcript.line("Processing:");
    this.#transcript.line(messageText({ ...message, responses: [] }));
    this.#transcript.line("Responses:");
    for (const response of message.responses) this.#transcript.line(messageText(response));
  }

  deliver(directive: Directive): void {
    const type = valueOf(directive, "type");
    if (type !== undefined && !knownTypes.has(type)) throw new DirectiveError(`unknown message type ${type}`);
    const delivered = plainNumbers(directive);
    const drop = directive.args.filter(({ key }) => key === "drop").flatMap(({ values }) => values);
    const dropped = drop.map((id) => wholeNumber(id, "drop"));
    const both = dropped.find((id) => delivered.includes(id));
    if (both !== undefined) throw new DirectiveError(`can't both deliver and drop msgs to ${both}`);
    let count = 0;
    for (const id of delivered) count += this.#deliverTo(id, type);
    for (const id of dropped) count += this.#dropTo(id, type);
    if (count === 0) this.#transcript.line("no messages");
  }

  #deliverTo(id: NodeId, type?: string): number {
    const messages = this.#takeMessages(
      (message) => recipient(message) === id && (type ?? typeOf(message)) === typeOf(message),
    );
    for (const message of messages) {
      this.#transcript.line(messageText(message));
      const error = this.node(id).step(message);
      if (error !== undefined) this.#transcript.line(error);
    }
    return messages.length;
  }

  #dropTo(id: NodeId, type?: string): number {
    const messages = this.#takeMessages(
      (message) => recipient(message) === id && !isWithinNode(message) && (type ?? typeOf(message)) === typeOf(message),
    );
    for (const message of messages) this.#transcript.line(`dropped: ${messageText(message)}`);
    return messages.length;
  }

  #takeMessages(matches: (message: ScriptMessage) => boolean): ScriptMessage[] {
    const taken = this.#messages.filter(matches);
    this.#messages = this.#messages.filter((message) => !matches(message));
    return taken;
  }

  stabilize(directive: Directive): string | void {
    const wasQuiet = this.#transcript.isQuiet;
    const level = valueOf(directive, "log-level");
    const error = level === undefined ? undefined : this.setLogLevel(level);
    if (error !== undefined) return error;
    const named = this.nodes(directive);
    const nodes = named.length === 0 ? this.#nodes : named;
    let rounds = 0;
    while (this.#stabilizeOnce(nodes)) {
      if (++rounds === roundsMax) throw new DirectiveError(`the nodes have not come to rest in ${roundsMax} rounds`);
    }
    this.#transcript.isQuiet = wasQuiet;
  }

  #stabilizeOnce(nodes: readonly ScriptNode[]): boolean {
    let moved = false;
    const section = (node: ScriptNode, doing: string, body: () => void): void => {
      this.#transcript.section(`> ${node.id} ${doing}`, body);
      moved = true;
    };
    for (const node of nodes) {
      if (node.hasReady()) section(node, "handling Ready", () => this.#transcript.write(node.processReady()));
    }
    for (const node of nodes) {
      const hasMail = this.#messages.some((message) => recipient(message) === node.id);
      if (hasMail) section(node, "receiving messages", () => void this.#deliverTo(node.id));
    }
    for (const node of nodes) {
      if (node.appendWork.length === 0) continue;
      section(node, "processing append thread", () => {
        while (node.appendWork.length > 0) this.#processAppend(node);
      });
    }
    for (const node of nodes) {
      if (node.applyWork.length === 0) continue;
      section(node, "processing apply thread", () => {
        while (node.applyWork.length > 0) this.#processApply(node);
      });
    }
    return moved;
  }

  sendSnapshot(directive: Directive): void {
    const [from, to] = this.#pair(directive);
    const snapshot = from.newestSnapshot;
    const progress = from.status.progress.find(({ id }) => id === to.id);
    const message = Object.assign(draft("MsgSnap", from.id, to.id, from.status.term), {
      snapshot,
      session: progress?.session ?? 0,
    });
    this.#messages.push(message);
    this.#transcript.write(messageText(message));
  }

  reportUnreachable(directive: Directive): void {
    const [on, lost] = this.#pair(directive);
    on.reportUnreachable(lost.id);
  }

  #pair(directive: Directive): [ScriptNode, ScriptNode] {
    const nodes = this.nodes(directive);
    if (nodes.length !== 2) throw new DirectiveError(`${directive.command} needs two nodes`);
    return [nodes[0]!, nodes[1]!];
  }

  /** Only what is applied can be cut: a script that wants more is refused. */
  compact(directive: Directive): string | void {
    const [id, index] = plainNumbers(directive);
    const node = this.node(id);
    if (index === undefined) throw new DirectiveError("compact needs an index");
    if (index < node.storage.firstIndex()) return "requested index is unavailable due to compaction";
    const { applied } = node.status;
    if (index > applied)
      throw new DirectiveError(`node ${node.id} has applied ${applied} and can't be cut at ${index}`);
    node.storage.compact(index);
    this.printLog(node);
  }

  printLog({ storage }: ScriptNode): void {
    const [first, last] = [storage.firstIndex(), storage.lastIndex()];
    if (last < first) this.#transcript.write(`log is empty: first index=${first}, last index=${last}`);
    else this.#transcript.write(entriesText(storage.entries(first, last + 1, Infinity)));
  }

  printStates(): void {
    for (const node of this.#nodes) {
      const { id, role, term, leader } = node.status;
      this.#transcript.line(`${id}: State${role} (${node.isVoter ? "" : "Non-"}Voter) Term:${term} Lead:${leader}`);
    }
  }

  printStatus(node: ScriptNode): void {
    const { progress, configuration } = node.status;
    const sorted = [...progress].sort((left, right) => left.id - right.id);
    for (const each of sorted) {
      const isLearner = configuration.learners.includes(each.id);
      const isFull = each.inflightMessages >= node.inflightMax;
      this.#transcript.write(progressText(each, isLearner, isFull, each.id === node.id));
    }
  }
}

type Command = (script: InteractionScript, directive: Directive) => string | void;

/** A command's result is an error of a node. */
const commands: Readonly<Record<string, Command>> = {
  _breakpoint: () => undefined,
  "add-nodes": (script, directive) => script.addNodes(directive),
  campaign: (script, directive) => script.first(directive).campaign(),
  compact: (script, directive) => script.compact(directive),
  "deliver-msgs": (script, directive) => script.deliver(directive),
  "forget-leader": (script, directive) => script.first(directive).forgetLeader(),
  "log-level": (script, directive) => script.setLogLevel(directive.args[0]?.key ?? ""),
  "process-append-thread": (script, directive) => script.processAppends(directive),
  "process-apply-thread": (script, directive) => script.processApplies(directive),
  "process-ready": (script, directive) => script.processReadies(directive),
  propose: (script, directive) => {
    const data = plain(directive)[1]?.key;
    if (data === undefined) throw new DirectiveError("propose needs a node and data");
    return script.first(directive).propose([encoder.encode(data)]);
  },
  "propose-conf-change": (script, directive) => script.proposeConfChange(directive),
  "raft-log": (script, directive) => script.printLog(script.first(directive)),
  "raft-state": (script) => script.printStates(),
  "report-unreachable": (script, directive) => script.reportUnreachable(directive),
  "send-snapshot": (script, directive) => script.sendSnapshot(directive),
  "set-randomized-election-timeout": (script, directive) =>
    script.first(directive).setElectionTimeout(wholeNumber(needed(directive, "timeout"), "timeout")),
  stabilize: (script, directive) => script.stabilize(directive),
  status: (script, directive) => script.printStatus(script.first(directive)),
  "tick-election": (script, directive) => script.first(directive).tick(electionTicks),
  "tick-heartbeat": (script, directive) => script.first(directive).tick(heartbeatTicks),
  "transfer-leadership": (script, directive) => {
    const to = script.node(wholeNumber(needed(directive, "to"), "to"));
    script.node(wholeNumber(needed(directive, "from"), "from")).transferLeadership(to.id);
  },
};

export const interactionCommands: readonly string[] = Object.keys(commands);

const transitions = new Map<string, ConfChangeTransition>([
  ["auto", "Auto"],
  ["implicit", "JointImplicit"],
  ["explicit", "JointExplicit"],
]);

interface ParsedOptions extends NodeOptions {
  readonly snapshot: SnapshotMeta | undefined;
}

function nodeOptions(directive: Directive): ParsedOptions | string {
  const config: { -readonly [Key in keyof RaftConfig]?: RaftConfig[Key] } = {};
  let asyncStorage = false;
  let committedBytesMax = Infinity;
  let snapshot: SnapshotMeta | undefined;
  const change = (fields: Partial<SnapshotMeta>, members: Partial<ConfState> = {}): void => {
    const before = snapshot ?? { index: 0, term: 1, configuration: nobody };
    snapshot = { ...before, ...fields, configuration: { ...before.configuration, ...members } };
  };
  for (const { key, values } of directive.args.filter((arg: Argument) => arg.values.length > 0)) {
    const value = values[0]!;
    const ids = (): number[] => values.map((id) => wholeNumber(id, key));
    if (key === "voters") change({}, { voters: ids() });
    else if (key === "learners") change({}, { learners: ids() });
    else if (key === "index") change({ index: wholeNumber(value, key) });
    // What the state machine begins with: it is never printed.
    else if (key === "content") change({});
    else if (key === "inflight") config.inflightMessagesMax = wholeNumber(value, key);
    else if (key === "async-storage-writes") asyncStorage = truth(value, key);
    else if (key === "prevote") config.preVote = truth(value, key);
    else if (key === "checkquorum") config.checkQuorum = truth(value, key);
    else if (key === "max-committed-size-per-ready") committedBytesMax = wholeNumber(value, key) || Infinity;
    else if (key === "disable-conf-change-validation")
      config.confChangeGuard = truth(value, key) ? "None" : "EarlierChanges";
    else if (key === "step-down-on-removal") config.stepDownOnRemoval = truth(value, key);
    else if (key !== "read-only") continue;
    else if (value !== "safe" && value !== "lease-based") return `invalid read-only option "${value}"`;
    else config.leaseReads = value === "lease-based";
  }
  return { config, asyncStorage, committedBytesMax, snapshot };
}

const nobody: ConfState = { voters: [], outgoing: [], learners: [], learnersNext: [], autoLeave: false };
