import { IkadaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import type { StreamRequest } from "../agents/pod-streams.js";
import type { Call } from "../listener.js";
import { nodeFrames, type PodRoutes } from "./pod-route.js";

/** Nodes that are asked at once, and how long one may take. */
const askedMax = 16;
const askMsMax = 5_000;

/** What a node said, or why it said nothing. */
type NodeAnswer<T> = { readonly node: string } & ({ readonly value: T } | { readonly message: string });

/**
 * Asks nodes for one message each, in the order of their names; a text in place of it says why there is none. A node that is away keeps nobody from
 * seeing the others.
 */
export async function askNodes<T extends object>(
  routes: PodRoutes,
  nodes: readonly string[],
  question: { readonly request: StreamRequest; readonly decode: (bytes: Uint8Array) => T | string },
  call: Call,
): Promise<NodeAnswer<T>[]> {
  const answers: NodeAnswer<T>[] = [];
  const waiting = [...nodes];
  const worker = async (): Promise<void> => {
    for (let node = waiting.shift(); node !== undefined; node = waiting.shift())
      answers.push(await ask(routes, node, question, call));
  };
  await Promise.all(Array.from({ length: Math.min(askedMax, nodes.length) }, worker));
  return answers.sort((left, right) => (left.node < right.node ? -1 : 1));
}

async function ask<T extends object>(
  routes: PodRoutes,
  node: string,
  { request, decode }: { readonly request: StreamRequest; readonly decode: (bytes: Uint8Array) => T | string },
  call: Call,
): Promise<NodeAnswer<T>> {
  const { agents, liveness } = routes;
  if (!agents.hasSession(node) && liveness.connectedReplica(node) === undefined) {
    return { node, message: "its agent is not connected" };
  }
  const over = new AbortController();
  const end = (): void => over.abort();
  const timer = setTimeout(end, askMsMax);
  call.signal.addEventListener("abort", end, { once: true });
  try {
    const way = { node, object: `nodes "${node}"`, request, begins: false, afterLoss: "ask again" };
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for await (const { data } of nodeFrames(routes, way, over.signal)) {
      if (!data || data.length === 0) continue;
      pieces.push(data);
      bytes += data.length;
      if (bytes > limits.messageBytesMax) throw new IkadaError("TooLarge", `its answer has more than ${bytes} bytes`);
    }
    const value = decode(Buffer.concat(pieces));
    return typeof value === "string" ? { node, message: value } : { node, value };
  } catch (caught) {
    const late = over.signal.aborted && !call.signal.aborted;
    return { node, message: late ? `no answer within ${askMsMax} ms` : IkadaError.from(caught).message };
  } finally {
    clearTimeout(timer);
    call.signal.removeEventListener("abort", end);
  }
}

export function unreached<T>(answers: readonly NodeAnswer<T>[]): { node: string; message: string }[] {
  return answers.flatMap((answer) => ("message" in answer ? [{ node: answer.node, message: answer.message }] : []));
}
