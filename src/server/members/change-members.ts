import type { ikada } from "#proto/api.js";
import { IkadaError } from "../../base/errors.js";
import type { Call } from "../listener.js";
import type { ReplicaControl } from "../replica-status.js";
import type { ReplicaLinks } from "../replicas/replica-links.js";
import type { MemberOperations } from "./member-operations.js";

export interface ChangeMembersOptions {
  readonly replica: ReplicaControl;
  readonly links: ReplicaLinks;
  readonly operations: MemberOperations;
}

const handOverMs = 3_000;
const pollMs = 20;

/** Does it here when this replica leads, else asks the one that does, also the one that comes after this one. @throws IkadaError */
export async function changeMembers(
  { replica, links, operations }: ChangeMembersOptions,
  request: ikada.api.v1.IChangeMembersRequest,
  call: Call,
): Promise<ikada.api.v1.IChangeMembersResponse> {
  for (;;) {
    const { leader, id } = replica.status();
    if (leader === 0) throw new IkadaError("NoLeader", "there is no leader that could change the members");
    if (leader !== id) return await links.changeMembers(leader, request, call.remainingMs());
    const outcome = await operations.run(request, call.wait);
    if (outcome === "Done") return {};
    await untilAnotherLeads(replica, id, Math.min(handOverMs, call.remainingMs()));
  }
}

async function untilAnotherLeads(replica: ReplicaControl, self: number, waitMs: number): Promise<void> {
  const until = performance.now() + waitMs;
  for (;;) {
    const { leader } = replica.status();
    if (leader !== self && leader !== 0) return;
    if (performance.now() >= until)
      throw new IkadaError("NotReady", "leadership could not be handed to another server", {
        hint: "'ikada cluster status' shows who is reachable and how far each log is",
      });
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
