import type { SeededRandom } from "../../random.js";
import type { WorkloadKind } from "../workload.js";
import { barePodWorkload } from "./bare-pod.js";
import { deploymentWorkload } from "./deployment.js";
import { jobWorkload } from "./job.js";
import { replicaSetWorkload } from "./replica-set.js";

const workloadKinds: readonly WorkloadKind[] = [deploymentWorkload, replicaSetWorkload, jobWorkload, barePodWorkload];

export function drawWorkloadKind(random: SeededRandom): WorkloadKind {
  const total = workloadKinds.reduce((sum, { weight }) => sum + weight, 0);
  let left = random.int(total);
  for (const kind of workloadKinds) {
    left -= kind.weight;
    if (left < 0) return kind;
  }
  throw new Error("the weights of workloads have changed");
}
