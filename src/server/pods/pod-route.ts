import { setTimeout as sleep } from "node:timers/promises";
import { IkadaError, reasons } from "../../base/errors.js";
import type { Reason } from "../../base/errors.js";
import type { ObjectCache } from "../../objects/cache.js";
import type { Store } from "../../../store/store.js";
import type { AgentService } from "../agents/agent-service.js";
import { firstMessage } from "../agents/first-message.js";
import type { LivenessTable } from "../agents/liveness-table.js";
import type { FrameSource, StreamFrame, StreamRequest } from "../agents/pod-streams.js";
import type { ReplicaLinks } from "../replicas/replica-links.js";

/** How streams get to nodes. */
export interface PodRoutes {
  readonly store: Store;
  readonly cache: ObjectCache;
  readonly agents: AgentService;
  readonly liveness: LivenessTable;
  readonly links: ReplicaLinks;
}

export interface NodeStream {
  readonly node: string;
  readonly request: StreamRequest;
  /** What the errors are about. */
  readonly object: string;
  /** Frames for the agent; none by default. */
  readonly input?: FrameSource;
  /** The agent says that it has begun, and has to in time. */
  readonly begins: boolean;
  /** What can be done when the way to the node breaks. */
  readonly afterLoss: string;
}

/** The agent of a server that died is at another one within a moment. */
const connectMsMax = 4_000;
const lookMs = 50;
/** From the request to the agent's word that it has begun; above what an agent may take to open a stream and the engine to begin. */
const beginMsMax = 30_000;

/**
 * Frames of a stream from a node, to the one that ends it; leaving the loop ends the stream at the node too.
 * @throws IkadaError the agent's own errors; Unavailable when the node is not connected or the way to it breaks, Deadline
 */
export async function* nodeFrames(routes: PodRoutes, stream: NodeStream, signal: AbortSignal): FrameSource {
  const { node, object, afterLoss } = stream;
  let begun = false;
  // Ends the stream also while a frame is waited for that does not come.
  const over = new AbortController();
  const end = (): void => over.abort();
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  try {
    const frames = await route(routes, stream, over.signal);
    if (stream.begins) {
      const first = await firstMessage(frames, beginMsMax, `node ${node} did not begin what ${object} was asked for`);
      if (!first.done) {
        begun = true;
        const last = isEnd(first.value, object);
        yield first.value;
        if (last) return;
      }
    }
    for await (const frame of frames) {
      begun = true;
      const last = isEnd(frame, object);
      yield frame;
      if (last) return;
    }
    throw new IkadaError("Unavailable", `the stream of ${object} broke off on node ${node}`);
  } catch (caught) {
    const error = IkadaError.from(caught);
    if (error.reason !== "Unavailable" || error.details.hint !== undefined) throw error;
    const hint = begun ? afterLoss : "ask again: nothing had begun";
    throw new IkadaError("Unavailable", error.message, { object, ...error.details, hint }, error);
  } finally {
    signal.removeEventListener("abort", end);
    end();
  }
}

/** @throws IkadaError what the agent ended it with */
function isEnd(frame: StreamFrame, object: string): boolean {
  if (!frame.end) return false;
  if (!frame.error) return true;
  throw new IkadaError(reasonOf(frame.reason), frame.error, { object, ...(frame.hint ? { hint: frame.hint } : {}) });
}

/** Waits a moment for a node, or a replica, that is on its way. @throws IkadaError Unavailable, Cancelled */
async function route(
  { agents, liveness, links }: PodRoutes,
  stream: NodeStream,
  signal: AbortSignal,
): Promise<FrameSource> {
  const { node, request, input } = stream;
  for (let waitedMs = 0; ; waitedMs += lookMs) {
    if (agents.hasSession(node)) return agents.openStream(node, request, signal, input);
    const replica = liveness.connectedReplica(node);
    const isLast = waitedMs >= connectMsMax;
    // One that was lost is believed to have the session for a moment longer.
    if (replica !== undefined && (isLast || links.isReady(replica))) {
      return links.podStream(replica, node, request, signal, input);
    }
    if (isLast) {
      throw new IkadaError("Unavailable", `node ${node} is not connected`, {
        hint: "look at the node: its agent has no session with any server",
      });
    }
    await sleep(lookMs, undefined, { signal }).catch(() => {
      throw new IkadaError("Cancelled", "the call was cancelled");
    });
  }
}

/** An agent's word: only reasons that exist pass. */
function reasonOf(reason: string | null | undefined): Reason {
  return reason && Object.hasOwn(reasons, reason) ? (reason as Reason) : "Unavailable";
}
