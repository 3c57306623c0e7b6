import { couldFit, nodeFilters, roomFilters, type Filter } from "./filters.js";
import type { PodClass } from "./pod-class.js";
import type { Room } from "./room.js";
import type { Topology, TopologyRefusal } from "./topology.js";

/** Why a node does not take a Pod. */
export interface Verdict {
  /** The filter that decided, by Kubernetes' name of its plugin. */
  readonly filter: string;
  /** In Kubernetes' words; several when several things are missing. */
  readonly reasons: readonly string[];
  /** With numbers. */
  readonly detail: () => string;
  readonly hint: string;
  /** Whether it might take it when other Pods were gone. */
  readonly resolvable: boolean;
  /** Whether Pods on other nodes have a part in it. */
  readonly isAboutOthers: boolean;
}

/** The first filter that refuses the node, of all; undefined: it fits. */
export function verdictOn(podClass: PodClass, room: Room, topology: Topology): Verdict | undefined {
  const ofNode = nodeFilters.find((one) => !one.check(podClass, room));
  if (ofNode !== undefined) return told(ofNode, podClass, room, false);
  const ofRoom = roomFilters.find((one) => !one.check(podClass, room));
  if (ofRoom !== undefined) return told(ofRoom, podClass, room, couldFit(podClass, room));
  const refusal = topology.refusal(room);
  if (refusal === undefined) return undefined;
  return { ...topologyVerdicts[refusal], detail: () => topology.detail(room), isAboutOthers: true };
}

function told(filter: Filter, podClass: PodClass, room: Room, resolvable: boolean): Verdict {
  const { name, hint } = filter;
  return {
    filter: name,
    reasons: filter.explain(podClass, room),
    detail: () => filter.detail(podClass, room),
    hint,
    resolvable,
    isAboutOthers: false,
  };
}

const spreadReason = "node(s) didn't match pod topology spread constraints";

export const topologyVerdicts: Readonly<Record<TopologyRefusal, Omit<Verdict, "detail" | "isAboutOthers">>> = {
  spreadLabel: {
    filter: "PodTopologySpread",
    reasons: [`${spreadReason} (missing required label)`],
    hint: "give the node the label of topologyKey",
    resolvable: false,
  },
  spread: {
    filter: "PodTopologySpread",
    reasons: [spreadReason],
    hint: "make room where there are fewest of these Pods, raise maxSkew, or use whenUnsatisfiable: ScheduleAnyway",
    resolvable: true,
  },
  affinity: {
    filter: "InterPodAffinity",
    reasons: ["node(s) didn't match pod affinity rules"],
    hint: "run the Pods that podAffinity names first, or make the rule a preferred one",
    resolvable: false,
  },
  antiAffinity: {
    filter: "InterPodAffinity",
    reasons: ["node(s) didn't match pod anti-affinity rules"],
    hint: "add nodes (or zones) without the Pods that podAntiAffinity names, or make the rule a preferred one",
    resolvable: true,
  },
  existingAntiAffinity: {
    filter: "InterPodAffinity",
    reasons: ["node(s) didn't satisfy existing pods anti-affinity rules"],
    hint: "Pods that are there keep away from this one: add nodes without them, or change their podAntiAffinity",
    resolvable: true,
  },
};
