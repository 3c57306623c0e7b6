import type { Clock } from "../../base/env.js";

/** What one replica says of one node's agent. */
export interface NodeLiveness {
  readonly node: string;
  readonly connected: boolean;
  /** Milliseconds since the agent was last heard of, as of saying it. */
  readonly silentMs: number;
  readonly bootId: string;
}

interface Seen {
  connected: boolean;
  /** Monotonic, this replica's clock. */
  heardAt: number;
  bootId: string;
}

/** Nodes that nobody heard of for so long are forgotten. */
const forgetMs = 60 * 60 * 1000;
/** A replica can't make another remember more nodes than this. */
const nodesPerReplicaMax = 10_000;

/**
 * Who heard of which node's agent, and when: this replica's own sessions and what the others tell. Never stored: a new
 * leader knows it because every replica always does. A replica that falls silent keeps its last word about when a node was
 * heard (that only grows older), but no node counts as connected to it.
 */
export class LivenessTable {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #self: number;
  /** By replica, then by node. */
  readonly #seen = new Map<number, Map<string, Seen>>();
  readonly #listeners = new Set<() => void>();

  constructor(clock: Pick<Clock, "monotonic">, self: number) {
    this.#clock = clock;
    this.#self = self;
    this.#seen.set(self, new Map());
  }

  /** A message of this node's agent came to this replica. */
  heard(node: string): void {
    const seen = this.#own().get(node);
    if (seen) seen.heardAt = this.#clock.monotonic();
  }

  /** A session of this node's agent with this replica began or ended. */
  setConnected(node: string, bootId: string, connected: boolean): void {
    const now = this.#clock.monotonic();
    const before = this.#own().get(node);
    this.#own().set(node, { connected, bootId, heardAt: connected ? now : (before?.heardAt ?? now) });
    for (const listener of this.#listeners) listener();
  }

  /** Takes over all that another replica says; what it said before and says no more is gone. */
  learn(replica: number, nodes: readonly NodeLiveness[]): void {
    if (replica === this.#self) return;
    const now = this.#clock.monotonic();
    const told = new Map<string, Seen>();
    for (const { node, connected, silentMs, bootId } of nodes.slice(0, nodesPerReplicaMax)) {
      told.set(node, { connected, bootId, heardAt: now - Math.max(0, silentMs) });
    }
    this.#seen.set(replica, told);
  }

  /** The connection to another replica was lost. */
  lost(replica: number): void {
    for (const seen of this.#seen.get(replica)?.values() ?? []) seen.connected = false;
  }

  /** Milliseconds since any replica heard of the node; undefined: never. */
  nodeSilentMs(node: string): number | undefined {
    let latest: number | undefined;
    for (const nodes of this.#seen.values()) {
      const heardAt = nodes.get(node)?.heardAt;
      if (heardAt !== undefined && (latest === undefined || heardAt > latest)) latest = heardAt;
    }
    return latest === undefined ? undefined : Math.max(0, this.#clock.monotonic() - latest);
  }

  /** The replica that has the node's session, the one that heard last if two believe so; undefined: none. */
  connectedReplica(node: string): number | undefined {
    let found: { readonly replica: number; readonly heardAt: number } | undefined;
    for (const [replica, nodes] of this.#seen) {
      const seen = nodes.get(node);
      if (!seen?.connected || (found && found.heardAt >= seen.heardAt)) continue;
      found = { replica, heardAt: seen.heardAt };
    }
    return found?.replica;
  }

  /** What this replica knows by itself, to be told to the others. */
  local(): readonly NodeLiveness[] {
    const now = this.#clock.monotonic();
    const nodes: NodeLiveness[] = [];
    for (const [node, { connected, heardAt, bootId }] of this.#own()) {
      const silentMs = Math.round(Math.max(0, now - heardAt));
      if (!connected && silentMs > forgetMs) this.#own().delete(node);
      else nodes.push({ node, connected, silentMs, bootId });
    }
    return nodes;
  }

  /** Called when a session of this replica begins or ends. */
  onChange(listener: () => void): { close(): void } {
    this.#listeners.add(listener);
    return { close: () => void this.#listeners.delete(listener) };
  }

  #own(): Map<string, Seen> {
    const own = this.#seen.get(this.#self) ?? new Map<string, Seen>();
    this.#seen.set(this.#self, own);
    return own;
  }
}
