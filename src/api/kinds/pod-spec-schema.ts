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
  refused,
  required,
  string,
} from "../schema.js";
import { affinity } from "./affinity-schema.js";
import { container, ephemeralContainer, resources } from "./container-schema.js";
import { labels, labelSelector, templateMetadata } from "./metadata-schema.js";
import { podSecurityContext } from "./security-context-schema.js";
import { volume } from "./volume-schema.js";

const toleration = object({
  key: string({ format: "qualifiedName" }),
  operator: oneOf(["Exists", "Equal"]),
  value: string({ format: "labelValue" }),
  effect: oneOf(["NoSchedule", "PreferNoSchedule", "NoExecute"]),
  tolerationSeconds: int64({ minimum: Number.MIN_SAFE_INTEGER }),
});

const topologySpreadConstraint = object({
  topologyKey: required(string({ format: "qualifiedName" })),
  whenUnsatisfiable: required(oneOf(["DoNotSchedule", "ScheduleAnyway"])),
  maxSkew: required(int32({ minimum: 1 })),
  labelSelector,
  matchLabelKeys: atomicList(string()),
  minDomains: int32({ minimum: 1 }),
  nodeAffinityPolicy: oneOf(["Honor", "Ignore"]),
  nodeTaintsPolicy: oneOf(["Honor", "Ignore"]),
});

const dnsConfig = object({
  nameservers: atomicList(string()),
  options: atomicList(object({ name: string(), value: string() })),
  searches: atomicList(string()),
});

const named = object({ name: required(string()) });

/** All fields of core/v1 PodSpec in Kubernetes 1.33. */
export const podSpec = object({
  containers: required(listBy(["name"], container)),
  restartPolicy: oneOf(["Always", "OnFailure", "Never"], { default: "Always" }),
  terminationGracePeriodSeconds: int64({ default: 30 }),
  nodeSelector: { ...labels, atomic: true },
  nodeName: string({ format: "dnsSubdomain" }),
  tolerations: atomicList(toleration),
  hostname: string({ format: "dnsLabel" }),
  priorityClassName: string({ format: "dnsSubdomain" }),
  priority: int32({ minimum: -(2 ** 31) }),
  preemptionPolicy: oneOf(["PreemptLowerPriority", "Never"]),

  activeDeadlineSeconds: kept(int64({ minimum: 1 })),
  affinity,
  automountServiceAccountToken: kept(boolean(), true, false),
  dnsConfig,
  dnsPolicy: oneOf(["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"]),
  enableServiceLinks: kept(boolean(), true, false),
  hostAliases: listBy(["ip"], object({ ip: required(string()), hostnames: atomicList(string()) })),
  hostUsers: kept(boolean(), true),
  imagePullSecrets: listBy(["name"], object({ name: string() }, { atomic: true })),
  initContainers: listBy(["name"], container),
  os: kept(object({ name: required(string()) }), { name: "linux" }),
  overhead: mapOf(quantity()),
  readinessGates: atomicList(object({ conditionType: required(string({ format: "qualifiedName" })) })),
  resourceClaims: kept(
    listBy(
      ["name"],
      object({ name: required(string()), resourceClaimName: string(), resourceClaimTemplateName: string() }),
    ),
    [],
  ),
  resources: kept(resources, {}),
  runtimeClassName: kept(string()),
  schedulerName: kept(string(), "default-scheduler"),
  schedulingGates: listBy(["name"], named),
  securityContext: podSecurityContext,
  serviceAccount: kept(string(), "", "default"),
  serviceAccountName: kept(string(), "", "default"),
  setHostnameAsFQDN: boolean(),
  shareProcessNamespace: boolean(),
  subdomain: string({ format: "dnsLabel" }),
  topologySpreadConstraints: listBy(["topologyKey", "whenUnsatisfiable"], topologySpreadConstraint),
  volumes: listBy(["name"], volume),

  ephemeralContainers: refused(
    listBy(["name"], ephemeralContainer),
    "containers are not added to running Pods by this version of Ikada",
  ),
  hostIPC: boolean(),
  hostNetwork: boolean(),
  hostPID: boolean(),
});

/** core/v1 PodTemplateSpec; of the metadata only labels and annotations reach the Pods. */
export const podTemplate = object({ metadata: templateMetadata, spec: required(podSpec) });
