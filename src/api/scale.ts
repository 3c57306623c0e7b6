import { IkadaError } from "../base/errors.js";
import { checkValue } from "./check-value.js";
import { decodeValue } from "./decode-value.js";
import { Faults } from "./faults.js";
import { metadataSchema } from "./kinds/metadata-schema.js";
import type { AnyObject, LabelSelector, ObjectMeta } from "./object.js";
import { countAt, valueAt } from "./path.js";
import { int32, object, oneOf, required, string } from "./schema.js";
import { formatLabelSelector } from "./selector.js";

/** The subresource scale of Deployments and what else has replicas (autoscaling/v1 Scale in Kubernetes 1.33). */
export interface Scale {
  readonly apiVersion: "autoscaling/v1";
  readonly kind: "Scale";
  readonly metadata: Pick<ObjectMeta, "name" | "namespace" | "uid" | "resourceVersion" | "creationTimestamp">;
  readonly spec: { readonly replicas: number };
  readonly status: { readonly replicas: number; readonly selector: string };
}

export const scaleSchema = object({
  apiVersion: required(oneOf(["autoscaling/v1"])),
  kind: required(oneOf(["Scale"])),
  metadata: required(metadataSchema),
  spec: object({ replicas: int32() }),
  status: object({ replicas: int32(), selector: string() }),
});

/** The Scale of an object of a kind that has one. */
export function scaleOf(live: AnyObject): Scale {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = live.metadata;
  const selector = valueAt(live, "spec", "selector") as LabelSelector | undefined;
  return {
    apiVersion: "autoscaling/v1",
    kind: "Scale",
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(creationTimestamp !== undefined && { creationTimestamp }),
    },
    spec: { replicas: countAt(live, "spec", "replicas") },
    status: {
      replicas: countAt(live, "status", "replicas"),
      selector: selector === undefined ? "" : formatLabelSelector(selector),
    },
  };
}

/** What a Scale asks for; no number of replicas is none, as in Kubernetes. */
export interface WantedScale {
  readonly metadata: Partial<ObjectMeta>;
  readonly replicas: number;
}

/** @throws IkadaError Invalid with every fault's path */
export function decodeScale(value: unknown): WantedScale {
  const faults = new Faults();
  const scale = decodeValue(value, scaleSchema, { faults, warnings: [] }) as AnyObject | undefined;
  if (scale !== undefined && faults.list.length === 0) checkValue(scale, scaleSchema, "", faults);
  const [first] = faults.list;
  if (scale !== undefined && first === undefined)
    return { metadata: scale.metadata, replicas: countAt(scale, "spec", "replicas") };
  throw new IkadaError("Invalid", `the Scale is invalid: ${first?.field ?? ""}: ${first?.message ?? ""}`, {
    faults: faults.list,
    hint: "send an autoscaling/v1 Scale with spec.replicas",
  });
}
