import type { AnyObject, Condition } from "../object.js";
import type { KindDefinition } from "../kind.js";
import { listAt, textAt, valueAt } from "../path.js";
import {
  atomicList,
  boolean,
  int32,
  int64,
  kept,
  listBy,
  mapOf,
  object,
  oneOf,
  quantity,
  required,
  setOf,
  string,
  time,
} from "../schema.js";
import { nodeRules, nodeUpdateRules } from "./node-rules.js";
import { conditionsWith, typeMeta } from "./metadata-schema.js";
import { ageColumn, column, nameColumn, wide } from "./shared-columns.js";

const taint = object({
  key: required(string({ format: "qualifiedName" })),
  value: string({ format: "labelValue" }),
  effect: required(oneOf(["NoSchedule", "PreferNoSchedule", "NoExecute"])),
  timeAdded: time(),
});

const configReference = object({
  configMap: object({
    name: required(string()),
    namespace: required(string()),
    kubeletConfigKey: required(string()),
    resourceVersion: string(),
    uid: string(),
  }),
});

const spec = object({
  podCIDR: string({ format: "cidr" }),
  podCIDRs: setOf(string({ format: "cidr" })),
  unschedulable: boolean(),
  taints: atomicList(taint),
  providerID: kept(string()),
  configSource: kept(configReference),
  externalID: kept(string()),
});

const nodeInfo = object({
  architecture: string(),
  bootID: string(),
  containerRuntimeVersion: string(),
  kernelVersion: string(),
  kubeProxyVersion: string(),
  kubeletVersion: string(),
  machineID: string(),
  operatingSystem: string(),
  osImage: string(),
  swap: object({ capacity: int64() }),
  systemUUID: string(),
});

const status = object({
  addresses: listBy(["type"], object({ type: required(string()), address: required(string()) })),
  allocatable: mapOf(quantity(), { keyFormat: "resourceName" }),
  capacity: mapOf(quantity(), { keyFormat: "resourceName" }),
  conditions: conditionsWith({ lastHeartbeatTime: time() }),
  nodeInfo,
  config: object({
    active: configReference,
    assigned: configReference,
    lastKnownGood: configReference,
    error: string(),
  }),
  daemonEndpoints: object({ kubeletEndpoint: object({ Port: required(int32()) }) }),
  features: object({ supplementalGroupsPolicy: boolean() }),
  images: atomicList(object({ names: atomicList(string()), sizeBytes: int64() })),
  phase: string(),
  runtimeHandlers: atomicList(
    object({ name: string(), features: object({ recursiveReadOnlyMounts: boolean(), userNamespaces: boolean() }) }),
  ),
  volumesAttached: atomicList(object({ name: required(string()), devicePath: required(string()) })),
  volumesInUse: atomicList(string()),
});

export const nodeKind: KindDefinition = {
  group: "",
  version: "v1",
  kind: "Node",
  plural: "nodes",
  singular: "node",
  shortNames: ["no"],
  categories: [],
  namespaced: false,
  nameFormat: "dnsSubdomain",
  hasStatus: true,
  hasScale: false,
  selectableFields: ["spec.unschedulable"],
  schema: object({ ...typeMeta, spec: { ...spec, default: {} }, status }),
  columns: [
    nameColumn,
    column("Status", "Ready or not, and whether it takes new Pods", readiness),
    column("Roles", "From labels node-role.kubernetes.io/…", roles),
    ageColumn,
    column("Version", "Version of the agent", (object) => textAt(object, ["status", "nodeInfo", "kubeletVersion"])),
    wide(column("Internal-IP", "Address inside the cluster", (object) => address(object, "InternalIP"))),
    wide(column("External-IP", "Address outside", (object) => address(object, "ExternalIP"))),
    wide(column("OS-Image", "Operating system", (object) => info(object, "osImage"))),
    wide(column("Kernel-Version", "Kernel", (object) => info(object, "kernelVersion"))),
    wide(column("Container-Runtime", "Container engine", (object) => info(object, "containerRuntimeVersion"))),
  ],
  rules: nodeRules,
  updateRules: nodeUpdateRules,
};

function readiness(node: AnyObject): string {
  const all = listAt(node, "status", "conditions") as readonly Condition[];
  const ready = all.find((condition) => condition.type === "Ready");
  const state = ready === undefined ? "Unknown" : ready.status === "True" ? "Ready" : "NotReady";
  return valueAt(node, "spec", "unschedulable") === true ? `${state},SchedulingDisabled` : state;
}

function roles(node: AnyObject): string {
  const prefix = "node-role.kubernetes.io/";
  const found = Object.entries(node.metadata.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(prefix) && key.length > prefix.length) return [key.slice(prefix.length)];
    return key === "kubernetes.io/role" && value !== "" ? [value] : [];
  });
  return found.length === 0 ? "<none>" : found.sort().join(",");
}

function address(node: AnyObject, type: string): string {
  const found = listAt(node, "status", "addresses").find((item) => textAt(item, ["type"]) === type);
  return textAt(found, ["address"], "<none>");
}

function info(node: AnyObject, field: string): string {
  return textAt(node, ["status", "nodeInfo", field], "<unknown>");
}
