import { ikada as agent } from "#proto/agent.js";
import type { ikada } from "#proto/api.js";
import type { Node } from "../../api/kinds/core.js";
import type { AnyObject } from "../../api/object.js";
import { textAt } from "../../api/path.js";
import { milliOf, unitsOf } from "../../api/quantity.js";
import { matchesSelector, parseLabelSelector } from "../../api/selector.js";
import { IkadaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { apiMethods } from "../../host/api-methods.js";
import type { Call, Listener } from "../listener.js";
import { nodeFrames, type PodRoutes } from "./pod-route.js";

/** Nodes that are asked at once, and how long one may take. */
const askedMax = 16;
const askMsMax = 5_000;

type NodeAnswer = { readonly node: string } & (
  | { readonly stats: agent.agent.v1.NodeStats }
  | { readonly message: string }
);

/** What is used now, asked of the nodes themselves; it is never written anywhere. */
export function addStats(listener: Listener, routes: PodRoutes): void {
  listener.unary(apiMethods.podStats, (request, call) => podStats(routes, request, call));
  listener.unary(apiMethods.nodeStats, (request, call) => nodeStats(routes, request, call));
}

async function podStats(
  routes: PodRoutes,
  { namespace, name, labelSelector }: ikada.api.v1.PodStatsRequest,
  call: Call,
): Promise<ikada.api.v1.IPodStatsResponse> {
  if (labelSelector.length > limits.selectorLengthMax) {
    throw new IkadaError("TooLarge", `a selector of ${labelSelector.length} characters`);
  }
  const labels = parseLabelSelector(labelSelector);
  const inScope = routes.cache.snapshot().list("/Pod", namespace === "" ? undefined : namespace);
  const pods = new Map<string, AnyObject>();
  for (const pod of inScope) {
    if (name !== "" && pod.metadata.name !== name) continue;
    if (matchesSelector(labels, pod.metadata.labels)) pods.set(pod.metadata.uid ?? "", pod);
  }
  if (name !== "" && pods.size === 0) {
    const object = `pods "${name}"`;
    throw new IkadaError("NotFound", `${object} not found`, { object });
  }
  const nodes = [...new Set([...pods.values()].map(nodeOf))].filter((node) => node !== "");
  const answers = await askAll(routes, nodes, call);
  const usages = new Map<string, ikada.api.v1.IContainerUsage[]>();
  const times = new Map<string, number>();
  for (const answer of answers) {
    if (!("stats" in answer)) continue;
    times.set(answer.node, answer.stats.timeMs);
    for (const { podUid, container, cpuCores, memoryBytes } of answer.stats.containers) {
      const pod = pods.get(podUid ?? "");
      // Of Pods of other nodes an agent has nothing to tell.
      if (pod === undefined || nodeOf(pod) !== answer.node) continue;
      const usage = { name: container ?? "", cpuCores: known(cpuCores), memoryBytes: memoryBytes ?? 0 };
      usages.set(podUid ?? "", [...(usages.get(podUid ?? "") ?? []), usage]);
    }
  }
  return {
    pods: [...usages].map(([uid, containers]) => {
      const { metadata } = pods.get(uid)!;
      const node = nodeOf(pods.get(uid)!);
      const timeMs = times.get(node) ?? 0;
      return { namespace: metadata.namespace ?? "", name: metadata.name, node, containers, timeMs };
    }),
    unreached: unreached(answers),
  };
}

async function nodeStats(
  routes: PodRoutes,
  { name }: ikada.api.v1.NodeStatsRequest,
  call: Call,
): Promise<ikada.api.v1.INodeStatsResponse> {
  const nodes = routes.cache
    .snapshot()
    .list<Node>("/Node")
    .filter(({ metadata }) => name === "" || metadata.name === name);
  if (name !== "" && nodes.length === 0) {
    const object = `nodes "${name}"`;
    throw new IkadaError("NotFound", `${object} not found`, { object });
  }
  const capacities = new Map(nodes.map(({ metadata, status }) => [metadata.name, status?.capacity ?? {}]));
  const answers = await askAll(routes, [...capacities.keys()], call);
  return {
    nodes: answers.flatMap((answer) => {
      if (!("stats" in answer)) return [];
      const { cpuCores, memoryBytes, timeMs } = answer.stats;
      const capacity = capacities.get(answer.node) ?? {};
      const cpuCapacity = milliOf(capacity["cpu"] ?? "0") / 1000;
      const memoryCapacity = unitsOf(capacity["memory"] ?? "0");
      return [{ name: answer.node, cpuCores: known(cpuCores), memoryBytes, timeMs, cpuCapacity, memoryCapacity }];
    }),
    unreached: unreached(answers),
  };
}

async function askAll(routes: PodRoutes, nodes: readonly string[], call: Call): Promise<NodeAnswer[]> {
  const answers: NodeAnswer[] = [];
  const waiting = [...nodes];
  const worker = async (): Promise<void> => {
    for (let node = waiting.shift(); node !== undefined; node = waiting.shift())
      answers.push(await ask(routes, node, call));
  };
  await Promise.all(Array.from({ length: Math.min(askedMax, nodes.length) }, worker));
  return answers.sort((left, right) => (left.node < right.node ? -1 : 1));
}

/** One node's answer, or why there is none: one that is away keeps nobody from seeing the others. */
async function ask(routes: PodRoutes, node: string, call: Call): Promise<NodeAnswer> {
  const { agents, liveness } = routes;
  if (!agents.hasSession(node) && liveness.connectedReplica(node) === undefined) {
    return { node, message: "its agent is not connected" };
  }
  const over = new AbortController();
  const end = (): void => over.abort();
  const timer = setTimeout(end, askMsMax);
  call.signal.addEventListener("abort", end, { once: true });
  try {
    const way = { node, object: `nodes "${node}"`, request: { stats: {} }, begins: false, afterLoss: "ask again" };
    for await (const { data } of nodeFrames(routes, way, over.signal)) {
      if (data && data.length > 0) return { node, stats: agent.agent.v1.NodeStats.decode(data) };
    }
    return { node, message: "it measures nothing" };
  } catch (caught) {
    const late = over.signal.aborted && !call.signal.aborted;
    return { node, message: late ? `no answer within ${askMsMax} ms` : IkadaError.from(caught).message };
  } finally {
    clearTimeout(timer);
    call.signal.removeEventListener("abort", end);
  }
}

function unreached(answers: readonly NodeAnswer[]): ikada.api.v1.IUnreachedNode[] {
  return answers.flatMap((answer) => ("message" in answer ? [{ node: answer.node, message: answer.message }] : []));
}

function nodeOf(pod: AnyObject): string {
  return textAt(pod, ["spec", "nodeName"]);
}

/** Negative on the way from the agent: not known yet. */
function known(cores: number | null | undefined): number | null {
  return cores !== null && cores !== undefined && cores >= 0 ? cores : null;
}
