import type { Pod } from "../../../src/api/kinds/pod.js";
import type { Snapshot } from "../../../src/objects/snapshot.js";
import { ClusterState } from "../../../src/scheduler/cluster-state.js";
import type { Member } from "../../../src/scheduler/room.js";
import { Topology } from "../../../src/scheduler/topology.js";
import { verdictOn } from "../../../src/scheduler/verdict.js";

/** Why a node may not have a waiting Pod now, judged on a state that is made anew; undefined: it may. */
export function refusalNow(snapshot: Snapshot, pod: Pod, nodeName: string): string | undefined {
  const found: { member?: Member } = {};
  const state = ClusterState.of(snapshot, (member) => {
    if (member.pod.metadata.uid === pod.metadata.uid) found.member = member;
  });
  const room = state.room(nodeName);
  if (found.member === undefined || room === undefined) return "it is not there";
  const { podClass } = found.member;
  return verdictOn(podClass, room, new Topology(podClass, state))?.reasons.join();
}
