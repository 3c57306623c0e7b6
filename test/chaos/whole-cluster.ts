import type { ClusterStatus } from "../../sdk/index.js";
import type { Harness } from "../e2e/harness.js";

/** Writes go on, so followers are always some entries behind. */
const behindEntriesMax = 200;

/**
 * Resolves with the leader's name when the members are the servers that the cluster began with, and all vote, answer and are caught up.
 * @throws Error that says what is missing, when that does not come
 */
export async function wholeCluster(harness: Harness): Promise<string> {
  let name: string | undefined;
  let missing = "";
  try {
    await harness.eventually("a whole cluster", async () => {
      const status = await harness.client.clusterStatus({ deadlineMs: 2_000 });
      name = status.members.find(({ id }) => id === status.leader)?.name;
      missing = missingOf(status, harness.cluster.servers.length);
      return missing === "";
    });
  } catch (caught) {
    throw new Error(`the cluster does not come whole: ${missing}`, { cause: caught });
  }
  return name!;
}

function missingOf({ members, leader }: ClusterStatus, count: number): string {
  const ahead = members.find(({ id }) => id === leader);
  if (!ahead) return "no leader";
  if (members.length !== count) return `${members.map(({ name }) => name).join(", ")} are members`;
  return members
    .flatMap(({ name, reachable, membership, applied }) => {
      if (!reachable) return [`${name} does not answer`];
      if (membership !== "Voter") return [`${name} is a ${membership}`];
      return applied + behindEntriesMax < ahead.applied ? [`${name} is at ${applied} of ${ahead.applied}`] : [];
    })
    .join(", ");
}
