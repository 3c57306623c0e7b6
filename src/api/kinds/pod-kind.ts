import type { KindDefinition } from "../kind.js";
import { object, required } from "../schema.js";
import { podColumns } from "./pod-columns.js";
import { completePodSpec } from "./pod-defaults.js";
import { podRules, podUpdateRules } from "./pod-rules.js";
import { podSpec } from "./pod-spec-schema.js";
import { podStatus } from "./pod-status-schema.js";
import { typeMeta } from "./metadata-schema.js";

export const podKind: KindDefinition = {
  group: "",
  version: "v1",
  kind: "Pod",
  plural: "pods",
  singular: "pod",
  shortNames: ["po"],
  categories: ["all"],
  namespaced: true,
  nameFormat: "dnsSubdomain",
  hasStatus: true,
  hasScale: false,
  selectableFields: [
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
  ],
  schema: object({ ...typeMeta, spec: required(podSpec), status: podStatus }),
  columns: podColumns,
  complete: (draft) => completePodSpec(draft["spec"], { requestsFromLimits: true }),
  rules: podRules,
  updateRules: podUpdateRules,
};
