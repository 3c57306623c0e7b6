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
import { askNodes, unreached } from "./ask-nodes.js";
import type { PodRoutes } from "./pod-route.js";

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
  const answers = await askNodes(routes, nodes, statsQuestion, call);
  const usages = new Map<string, ikada.api.v1.IContainerUsage[]>();
  const times = new Map<string, number>();
  for (const answer of answers) {
    if (!("value" in answer)) continue;
    times.set(answer.node, answer.value.timeMs);
    for (const { podUid, container, cpuCores, memoryBytes } of answer.value.containers) {
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
  const answers = await askNodes(routes, [...capacities.keys()], statsQuestion, call);
  return {
    nodes: answers.flatMap((answer) => {
      if (!("value" in answer)) return [];
      const { cpuCores, memoryBytes, timeMs } = answer.value;
      const capacity = capacities.get(answer.node) ?? {};
      const cpuCapacity = milliOf(capacity["cpu"] ?? "0") / 1000;
      const memoryCapacity = unitsOf(capacity["memory"] ?? "0");
      return [{ name: answer.node, cpuCores: known(cpuCores), memoryBytes, timeMs, cpuCapacity, memoryCapacity }];
    }),
    unreached: unreached(answers),
  };
}

function nodeOf(pod: AnyObject): string {
  return textAt(pod, ["spec", "nodeName"]);
}

/** Negative on the way from the agent: not known yet. */
function known(cores: number | null | undefined): number | null {
  return cores !== null && cores !== undefined && cores >= 0 ? cores : null;
}

const statsQuestion = {
  request: { stats: {} },
  decode: (bytes: Uint8Array) => (bytes.length === 0 ? "it measures nothing" : agent.agent.v1.NodeStats.decode(bytes)),
};
