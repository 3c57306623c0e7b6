import { preferenceFor } from "../api/node-affinity.js";
import { tolerates } from "../api/toleration.js";
import type { PodClass } from "./pod-class.js";
import { weightOf } from "./resources.js";
import type { Room } from "./room.js";

/** `spread` fills all nodes alike (Kubernetes' LeastAllocated), `binpack` one after the other (MostAllocated). */
export type Profile = "spread" | "binpack";

/** Kubernetes' weights of its scores, each of which is a whole number from 0 to 100. */
export const weights = {
  TaintToleration: 3,
  NodeAffinity: 2,
  PodTopologySpread: 2,
  InterPodAffinity: 2,
  NodeResourcesFit: 1,
  NodeResourcesBalancedAllocation: 1,
  ImageLocality: 1,
} as const;

/** What depends on one node alone, and is the same for a whole pass. */
export interface Liking {
  /** Taints that only prefer to have no Pod, and are not tolerated. */
  readonly unwanted: number;
  /** Weights of the preferred node affinity. */
  readonly preferred: number;
  readonly imageScore: number;
}

export function likingOf(podClass: PodClass, room: Room, share: ImageShare): Liking {
  const { preferTaints, node } = room;
  return {
    unwanted: preferTaints.length === 0 ? 0 : countUnwanted(podClass, room),
    preferred: podClass.affinity.nodeAffinity === undefined || node === undefined ? 0 : preferenceFor(podClass, node),
    imageScore: room.hasImages ? imageScore(podClass, room, share) : 0,
  };
}

/** The most of each among the nodes that are compared: what the scores are in proportion to. */
export interface LikingMost {
  unwanted: number;
  preferred: number;
}

/** The part of a node's score that depends on the node alone. */
export function nodeScore(podClass: PodClass, room: Room, liking: Liking, most: LikingMost, profile: Profile): number {
  const spared = most.unwanted === 0 ? 100 : 100 - Math.floor((100 * liking.unwanted) / most.unwanted);
  const preferred = most.preferred === 0 ? 0 : Math.floor((100 * liking.preferred) / most.preferred);
  return (
    weights.TaintToleration * spared +
    weights.NodeAffinity * preferred +
    weights.NodeResourcesFit * fitScore(podClass, room, profile) +
    weights.NodeResourcesBalancedAllocation * balanceScore(podClass, room) +
    weights.ImageLocality * liking.imageScore
  );
}

/** The mean over cpu and memory of the share that is left, or with `binpack` taken. */
function fitScore({ requests }: PodClass, room: Room, profile: Profile): number {
  const { offered } = room;
  const more = weightOf(requests);
  const score = (taken: number, of: number): number => {
    if (taken > of) return 0;
    return Math.floor(((profile === "spread" ? of - taken : taken) * 100) / of);
  };
  let [sum, parts] = [0, 0];
  if (offered.cpuMilli > 0) {
    sum += score(room.weightCpuMilli + more.cpuMilli, offered.cpuMilli);
    parts += 1;
  }
  if (offered.memoryBytes > 0) {
    sum += score(room.weightMemoryBytes + more.memoryBytes, offered.memoryBytes);
    parts += 1;
  }
  return parts === 0 ? 0 : Math.floor(sum / parts);
}

/** How alike the shares of cpu and memory are that would be taken: for two, the standard deviation is half of their difference. */
function balanceScore({ requests }: PodClass, room: Room): number {
  const { offered } = room;
  if (requests.cpuMilli === 0 && requests.memoryBytes === 0) return 0;
  if (offered.cpuMilli <= 0 || offered.memoryBytes <= 0) return 100;
  const cpu = Math.min(1, (room.cpuMilli + requests.cpuMilli) / offered.cpuMilli);
  const memory = Math.min(1, (room.memoryBytes + requests.memoryBytes) / offered.memoryBytes);
  return Math.floor((1 - Math.abs(cpu - memory) / 2) * 100);
}

/** On which part of all nodes an image is: 0 to 1. */
export type ImageShare = (image: string) => number;

/** The bytes that need not be fetched, less for images that few nodes have, so that they do not all get the same Pods. */
function imageScore({ images }: PodClass, room: Room, share: ImageShare): number {
  const most = imageBytesMax * images.length;
  let bytes = 0;
  for (const image of images) bytes += Math.floor(room.imageBytes(image) * share(image));
  const within = Math.min(most, Math.max(imageBytesMin, bytes));
  return Math.floor((100 * (within - imageBytesMin)) / (most - imageBytesMin));
}

const imageBytesMin = 23 * 1024 * 1024;
const imageBytesMax = 1000 * 1024 * 1024;

function countUnwanted({ tolerations }: PodClass, { preferTaints }: Room): number {
  return preferTaints.filter((taint) => !tolerations.some((toleration) => tolerates(toleration, taint))).length;
}
