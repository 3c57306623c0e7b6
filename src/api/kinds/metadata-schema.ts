import {
  any,
  atomicList,
  boolean,
  int64,
  kept,
  listBy,
  mapOf,
  object,
  oneOf,
  required,
  setOf,
  string,
  time,
  type ListSchema,
  type Schema,
} from "../schema.js";

const ownerReference = object(
  {
    apiVersion: required(string()),
    kind: required(string()),
    name: required(string()),
    uid: required(string()),
    controller: boolean(),
    blockOwnerDeletion: boolean(),
  },
  { atomic: true },
);

const managedFieldsEntry = object({
  manager: string(),
  operation: string(),
  apiVersion: string(),
  time: time(),
  fieldsType: string(),
  fieldsV1: any(),
  subresource: string(),
});

export const labels = mapOf(string({ format: "labelValue" }), { keyFormat: "qualifiedName" });
export const annotations = mapOf(string(), { keyFormat: "annotationKey" });

/** Of every object. Names are checked by each kind's own format. */
export const metadataSchema = object({
  name: string(),
  generateName: string(),
  namespace: string(),
  uid: string(),
  resourceVersion: string(),
  generation: int64(),
  creationTimestamp: time(),
  deletionTimestamp: time(),
  deletionGracePeriodSeconds: int64(),
  labels,
  annotations,
  ownerReferences: listBy(["uid"], ownerReference),
  finalizers: setOf(string({ format: "qualifiedName" })),
  managedFields: atomicList(managedFieldsEntry),
  selfLink: string(),
});

/** Of a Pod template: only labels and annotations reach the Pods. */
export const templateMetadata = object({
  labels,
  annotations,
  name: kept(string(), ""),
  generateName: kept(string(), ""),
  namespace: kept(string(), ""),
  creationTimestamp: kept(time()),
  deletionTimestamp: kept(time()),
  deletionGracePeriodSeconds: kept(int64()),
  finalizers: kept(setOf(string({ format: "qualifiedName" })), []),
  generation: kept(int64()),
  managedFields: kept(atomicList(managedFieldsEntry), []),
  ownerReferences: kept(listBy(["uid"], ownerReference), []),
  resourceVersion: kept(string(), ""),
  selfLink: kept(string(), ""),
  uid: kept(string(), ""),
});

const selectorRequirement = object({
  key: required(string({ format: "qualifiedName" })),
  operator: required(string({ enum: ["In", "NotIn", "Exists", "DoesNotExist"] })),
  values: atomicList(string({ format: "labelValue" })),
});

export const labelSelector = object(
  { matchLabels: labels, matchExpressions: atomicList(selectorRequirement) },
  { atomic: true },
);

/** A status's conditions; `more` are the fields that only some kinds have. */
export function conditionsWith(more: Readonly<Record<string, Schema>> = {}): ListSchema {
  return listBy(
    ["type"],
    object({
      type: required(string()),
      status: required(oneOf(["True", "False", "Unknown"])),
      reason: string(),
      message: string(),
      lastTransitionTime: time(),
      ...more,
    }),
  );
}

/** The fields that every kind has at its top. */
export const typeMeta = {
  apiVersion: required(string()),
  kind: required(string()),
  metadata: required(metadataSchema),
};
