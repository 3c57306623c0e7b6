import type { DaemonSet, StatefulSet } from "../src/api/kinds/apps.js";
import { IkadaError } from "../src/base/errors.js";
import type { RolloutState } from "./rollout.js";

/** Where the rollout of a StatefulSet stands. @throws IkadaError Unsupported */
export function statefulSetState({ metadata, spec, status }: StatefulSet): RolloutState {
  requireRolling("statefulset", metadata.name, spec.updateStrategy?.type);
  if ((status?.observedGeneration ?? 0) < (metadata.generation ?? 1))
    return { done: false, message: "Waiting for statefulset spec update to be observed..." };
  const replicas = spec.replicas ?? 1;
  const ready = status?.readyReplicas ?? 0;
  if (ready < replicas) return { done: false, message: `Waiting for ${replicas - ready} pods to be ready...` };
  const partition = spec.updateStrategy?.rollingUpdate?.partition ?? 0;
  const updated = status?.updatedReplicas ?? 0;
  if (partition > 0) {
    const wanted = Math.max(0, replicas - partition);
    if (updated < wanted)
      return {
        done: false,
        message: `Waiting for partitioned roll out to finish: ${updated} out of ${wanted} new pods have been updated...`,
      };
    return { done: true, message: `partitioned roll out complete: ${updated} new pods have been updated...` };
  }
  if (status?.updateRevision !== status?.currentRevision)
    return {
      done: false,
      message: `waiting for statefulset rolling update to complete ${updated} pods at revision ${status?.updateRevision}...`,
    };
  return {
    done: true,
    message: `statefulset rolling update complete ${status?.currentReplicas ?? 0} pods at revision ${status?.currentRevision}...`,
  };
}

/** Where the rollout of a DaemonSet stands. @throws IkadaError Unsupported */
export function daemonSetState({ metadata, spec, status }: DaemonSet): RolloutState {
  const { name } = metadata;
  requireRolling("daemonset", name, spec.updateStrategy?.type);
  if ((status?.observedGeneration ?? 0) < (metadata.generation ?? 1))
    return { done: false, message: "Waiting for daemon set spec update to be observed..." };
  const { desiredNumberScheduled: nodes = 0, updatedNumberScheduled: updated = 0, numberAvailable = 0 } = status ?? {};
  const waiting = `Waiting for daemon set "${name}" rollout to finish: `;
  if (updated < nodes)
    return { done: false, message: `${waiting}${updated} out of ${nodes} new pods have been updated...` };
  if (numberAvailable < nodes)
    return { done: false, message: `${waiting}${numberAvailable} of ${nodes} updated pods are available...` };
  return { done: true, message: `daemon set "${name}" successfully rolled out` };
}

function requireRolling(kind: string, name: string, type: string | undefined): void {
  if (type !== "OnDelete") return;
  throw new IkadaError("Unsupported", "rollout status is only available for the update strategy RollingUpdate", {
    hint: `with OnDelete a Pod follows when it is deleted; see 'ikada describe ${kind} ${name}'`,
  });
}
