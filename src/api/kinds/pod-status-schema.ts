import {
  atomicList,
  boolean,
  int32,
  int64,
  listBy,
  mapOf,
  object,
  oneOf,
  quantity,
  required,
  string,
  time,
} from "../schema.js";
import { resources } from "./container-schema.js";
import { conditionsWith } from "./metadata-schema.js";

const containerState = object({
  waiting: object({ reason: string(), message: string() }),
  running: object({ startedAt: time() }),
  terminated: object({
    exitCode: int32({ minimum: -(2 ** 31) }),
    signal: int32(),
    reason: string(),
    message: string(),
    startedAt: time(),
    finishedAt: time(),
    containerID: string(),
  }),
});

const containerStatus = object({
  name: required(string()),
  image: string(),
  imageID: string(),
  containerID: string(),
  ready: boolean(),
  started: boolean(),
  restartCount: int32(),
  state: containerState,
  lastState: containerState,
  allocatedResources: mapOf(quantity()),
  allocatedResourcesStatus: listBy(
    ["name"],
    object({
      name: required(string()),
      resources: listBy(["resourceID"], object({ resourceID: required(string()), health: string() }), {
        mergeKey: null,
      }),
    }),
  ),
  resources,
  stopSignal: string(),
  user: object({ linux: object({ gid: int64(), supplementalGroups: atomicList(int64()), uid: int64() }) }),
  volumeMounts: listBy(
    ["mountPath"],
    object({
      mountPath: required(string()),
      name: required(string()),
      readOnly: boolean(),
      recursiveReadOnly: string(),
    }),
  ),
});

/** core/v1 PodStatus of Kubernetes 1.33. Written by the node agents' reports, never by users. */
export const podStatus = object({
  phase: oneOf(["Pending", "Running", "Succeeded", "Failed", "Unknown"]),
  conditions: conditionsWith({ lastProbeTime: time(), observedGeneration: int64() }),
  reason: string(),
  message: string(),
  podIP: string(),
  podIPs: listBy(["ip"], object({ ip: required(string()) })),
  hostIP: string(),
  hostIPs: atomicList(object({ ip: required(string()) }), { mergeKey: "ip" }),
  startTime: time(),
  containerStatuses: atomicList(containerStatus),
  initContainerStatuses: atomicList(containerStatus),
  ephemeralContainerStatuses: atomicList(containerStatus),
  observedGeneration: int64(),
  nominatedNodeName: string(),
  qosClass: string(),
  resize: string(),
  resourceClaimStatuses: listBy(["name"], object({ name: required(string()), resourceClaimName: string() })),
});
