import { setDescriptions } from "./set-descriptions.js";
import { batchDescriptions } from "./batch-descriptions.js";
import { schedulingDescriptions } from "./scheduling-descriptions.js";

/**
 * What each field means, by the type it stands in; `[text, type]` where the field's value (or each item of its list) is of
 * another type here. What Ikada does not act on is told from the kind's schema and is not described again.
 */
export type Described = string | readonly [text: string, type: string];

/** Fields that manifests from Kubernetes may carry in a status. */
const unused = "Accepted as Kubernetes has it; Ikada neither sets nor reads it.";

const condition: Readonly<Record<string, Described>> = {
  type: "What it is about; each type is there once.",
  status: "Whether it holds; Unknown when nobody can tell.",
  reason: "Why, in one word for programs.",
  message: "Why, in a sentence for people.",
  lastTransitionTime: "When its status last changed.",
  lastUpdateTime: "When it was last written.",
  lastProbeTime: "When it was last looked at.",
  lastHeartbeatTime: "When the node last said so.",
  observedGeneration: "The metadata.generation that it is about.",
};

const objectReference: Readonly<Record<string, Described>> = {
  apiVersion: "API version of the object that is meant.",
  kind: "Its kind.",
  namespace: "Its Namespace.",
  name: "Its name.",
  uid: "Its uid, which tells it from others that had or will have its name.",
  resourceVersion: "Its resourceVersion when it was referred to.",
  fieldPath: "The part of it that is meant, for example spec.containers{main}.",
};

const types: Readonly<Record<string, Readonly<Record<string, Described>>>> = {
  Object: {
    apiVersion: "The group and version of the object's schema.",
    kind: "What sort of object this is.",
    metadata: ["Name, labels and what else all objects have.", "Metadata"],
  },
  Metadata: {
    name: "Unique among the objects of this kind in the Namespace; can't be changed.",
    generateName: "Instead of a name: the server makes one that begins with this.",
    namespace: "The Namespace it is in; none for cluster-scoped kinds. Can't be changed.",
    uid: "Made by the server; no two objects ever have the same.",
    resourceVersion:
      "Changes whenever the object does. In an update it is a condition: only if the object is still at this version.",
    generation: "Counts changes of what is wanted (not of the status).",
    creationTimestamp: "When the server made it.",
    deletionTimestamp:
      "When it was asked to go, or for a Pod when it has to be gone; it stays until its finalizers are empty.",
    deletionGracePeriodSeconds: "Seconds between the request to delete it and its end.",
    labels: "Keys and values to select objects by.",
    annotations: "Keys and values for programs and people, not to select by.",
    ownerReferences: ["The objects it depends on: it is deleted when all of them are gone.", "OwnerReference"],
    finalizers: "Names of those who have to do something before it may go; each takes its own away.",
    managedFields: ["Who wrote which field, kept by the server.", "ManagedFields"],
    selfLink: unused,
  },
  OwnerReference: {
    apiVersion: "API version of the owner.",
    kind: "Kind of the owner.",
    name: "Name of the owner, in the same Namespace.",
    uid: "Uid of the owner.",
    controller: "True for the one that manages this object.",
    blockOwnerDeletion: "With foreground deletion the owner waits for this object.",
  },
  ManagedFields: {
    manager: "The program's name, as it gave it.",
    operation: "Apply, or Update for every other write.",
    apiVersion: "Version in which the fields are named.",
    time: "When this entry last changed.",
    fieldsType: "FieldsV1, the only form there is.",
    fieldsV1: "The fields, nested as in the object.",
    subresource: "The part it was written through; absent for the whole object.",
  },
  LabelSelector: {
    matchLabels: "Labels that all have to be there with these values.",
    matchExpressions: ["Requirements that all have to hold.", "LabelRequirement"],
  },
  LabelRequirement: {
    key: "The label's key.",
    operator: "How its value relates to the values.",
    values: "For In and NotIn, one or more; empty for the others.",
  },

  Namespace: {
    "": "A room for names: objects in different ones may have the same name, and all go with it.",
    spec: ["What is wanted of it.", "NamespaceSpec"],
    status: ["How it is.", "NamespaceStatus"],
  },
  NamespaceSpec: { finalizers: "It stays until this is empty; the server empties it once nothing is in it." },
  NamespaceStatus: {
    phase: "Active, or Terminating while what is in it goes.",
    conditions: ["Why it is not gone yet.", "Condition"],
  },

  Node: {
    "": "A machine whose agent runs Pods. Its agent registers it.",
    spec: ["What is wanted of it.", "NodeSpec"],
    status: ["What its agent reports.", "NodeStatus"],
  },
  NodeSpec: {
    podCIDR: "The addresses its Pods get.",
    podCIDRs: "The same as a list.",
    unschedulable: "No new Pods come to it; those it has stay.",
    taints: ["What keeps Pods away that do not tolerate it.", "Taint"],
  },
  Taint: {
    key: "Its key, which tolerations name.",
    value: "Its value.",
    effect: "NoSchedule: no new Pods. PreferNoSchedule: rather elsewhere. NoExecute: Pods that are there go too.",
    timeAdded: "When it was set, from which tolerationSeconds count.",
  },
  NodeStatus: {
    addresses: ["Where it is reached.", "NodeAddress"],
    capacity: "What the machine has.",
    allocatable: "What of it Pods may have; the scheduler keeps to it.",
    conditions: ["Ready, and what ails it.", "Condition"],
    nodeInfo: ["The machine and its software.", "NodeInfo"],
    config: unused,
    daemonEndpoints: unused,
    features: unused,
    images: unused,
    phase: unused,
    runtimeHandlers: unused,
    volumesAttached: unused,
    volumesInUse: unused,
  },
  NodeAddress: { type: "Hostname, InternalIP or ExternalIP.", address: "The address." },
  NodeInfo: {
    architecture: "Of the processor.",
    bootID: "Changes with every boot.",
    containerRuntimeVersion: "The container engine, as docker://VERSION.",
    kernelVersion: "Of the kernel.",
    kubeProxyVersion: unused,
    kubeletVersion: "Version of the agent.",
    machineID: "Identifies the machine.",
    operatingSystem: "For example linux.",
    osImage: "The system's name and version.",
    swap: unused,
    systemUUID: "Identifies the machine to its firmware.",
  },

  ConfigMap: {
    "": "Settings that Pods read as environment variables.",
    data: "Texts by key.",
    binaryData: "Bytes in base64 by key; a key may be here or in data.",
    immutable: "True: the data can't be changed any more, and this can't be taken back.",
  },
  Secret: {
    "": "Like a ConfigMap, for what not everybody may read.",
    type: "What it is for; some types need certain keys. Can't be changed.",
    data: "Values in base64 by key.",
    stringData: "Values as plain text, written into data; never read back.",
    immutable: "True: the data can't be changed any more, and this can't be taken back.",
  },

  Pod: {
    "": "Containers that run together on one node.",
    spec: ["What is wanted of it.", "PodSpec"],
    status: ["What its node reports.", "PodStatus"],
  },
  PodTemplate: {
    metadata: ["Labels and annotations of the Pods.", "Metadata"],
    spec: ["What is wanted of the Pods.", "PodSpec"],
  },
  PodSpec: {
    containers: ["What runs; at least one.", "Container"],
    initContainers: ["What runs before, one after the other, each to its end; sidecars run on.", "Container"],
    ephemeralContainers: ["Containers added to look into a running Pod.", "Container"],
    restartPolicy: "When a container that ended is started again: Always, OnFailure or Never.",
    terminationGracePeriodSeconds: "Seconds between SIGTERM and SIGKILL.",
    volumes: ["Files that its containers can mount.", "Volume"],
    nodeSelector: "Labels that its node has to have.",
    nodeName: "Its node. The scheduler sets it; given beforehand, nobody chooses.",
    tolerations: ["Taints that do not keep it away.", "Toleration"],
    priorityClassName: "Its PriorityClass; without it the one that is everyone's default, if there is one.",
    priority: "The value of its PriorityClass, set by the server: the higher, the sooner it gets a place.",
    preemptionPolicy: "That of its PriorityClass, set by the server.",
    affinity: ["Which nodes and which other Pods it has to be, or should be, near or away from.", "Affinity"],
    topologySpreadConstraints: ["How evenly Pods like it are spread over nodes.", "TopologySpreadConstraint"],
    schedulingGates: ["While there are any, it is not placed.", "SchedulingGate"],
    overhead: "What the runtime takes beside the containers.",
    hostname: "What the containers' host is called; otherwise the Pod's name.",
    subdomain: "With it the full name HOSTNAME.SUBDOMAIN.NAMESPACE.svc.cluster.local is known to the containers.",
    setHostnameAsFQDN: "True: the full name is the host name.",
    imagePullSecrets: [
      "Secrets with the credentials of registries, of type kubernetes.io/dockerconfigjson.",
      "LocalObjectReference",
    ],
    hostAliases: ["Lines for the containers' /etc/hosts.", "HostAlias"],
    dnsPolicy: "None: only dnsConfig counts. Otherwise the node's resolver comes first.",
    dnsConfig: ["More for the containers' /etc/resolv.conf.", "DnsConfig"],
    hostNetwork: "True: the node's own network. Needs the privileged level.",
    hostPID: "True: the node's processes are seen. Needs the privileged level.",
    hostIPC: "True: the node's inter-process communication. Needs the privileged level.",
    shareProcessNamespace: "True: the containers see each other's processes.",
    readinessGates: ["Conditions that others set and that the Pod's readiness waits for.", "ReadinessGate"],
    securityContext: ["Who its containers are and what they may do.", "PodSecurityContext"],
  },
  Volume: {
    name: "By which containers mount it.",
    emptyDir: ["An empty folder that lives as long as the Pod.", "EmptyDir"],
    hostPath: [
      "A part of the node, below a folder that the agent's config allows. Needs the privileged level.",
      "HostPath",
    ],
    configMap: ["A ConfigMap's keys as files, which follow its changes.", "ConfigMapVolume"],
    secret: ["A Secret's keys as files, which follow its changes.", "SecretVolume"],
    downwardAPI: ["Fields of the Pod as files.", "DownwardVolume"],
    projected: ["Several of these in one folder.", "ProjectedVolume"],
    csi: ["A volume that the node's engine keeps under a name, and that outlives the Pod.", "CsiVolume"],
  },
  CsiVolume: {
    driver: "volumes.ikada.dev: there is no other one.",
    volumeAttributes: "`name`: which of the namespace's volumes on this node; the first Pod that asks for it makes it.",
    readOnly: "True: nothing is written to it.",
    fsType: "Refused: it has the file system of its node.",
    nodePublishSecretRef: ["Refused: it needs no Secret.", "LocalObjectReference"],
  },
  EmptyDir: {
    medium: "Memory: it is kept in memory, of which its containers' limits count what they write.",
    sizeLimit: "Of memory: more does not fit. On disk: a Pod that takes more is evicted.",
  },
  HostPath: {
    path: "The absolute path on the node.",
    type: "What has to be there, or is made: DirectoryOrCreate, Directory, FileOrCreate, File, Socket, CharDevice, BlockDevice.",
  },
  ConfigMapVolume: {
    name: "The ConfigMap's name.",
    items: ["Which keys, and under which paths; otherwise all.", "KeyToPath"],
    optional: "True: neither it nor its keys need be there; otherwise the Pod waits for them.",
    defaultMode: "Permissions of its files; 0644 by default.",
  },
  SecretVolume: {
    secretName: "The Secret's name.",
    items: ["Which keys, and under which paths; otherwise all.", "KeyToPath"],
    optional: "True: neither it nor its keys need be there; otherwise the Pod waits for them.",
    defaultMode: "Permissions of its files; 0644 by default.",
  },
  DownwardVolume: {
    items: ["The files.", "DownwardFile"],
    defaultMode: "Permissions of its files; 0644 by default.",
  },
  DownwardFile: {
    path: "The file's path in the volume.",
    fieldRef: [
      "A field of the Pod: metadata.labels, metadata.annotations, metadata.name and the like.",
      "FieldReference",
    ],
    resourceFieldRef: ["A request or limit of a container.", "ResourceReference"],
    mode: "Permissions of this file.",
  },
  ProjectedVolume: {
    sources: ["What is in it; of two files with one path the later one is there.", "ProjectedSource"],
    defaultMode: "Permissions of its files; 0644 by default.",
  },
  ProjectedSource: {
    configMap: ["A ConfigMap's keys.", "ObjectProjection"],
    secret: ["A Secret's keys.", "ObjectProjection"],
    downwardAPI: ["Fields of the Pod.", "DownwardProjection"],
  },
  ObjectProjection: {
    name: "The object's name.",
    items: ["Which keys, and under which paths; otherwise all.", "KeyToPath"],
    optional: "True: neither it nor its keys need be there; otherwise the Pod waits for them.",
  },
  DownwardProjection: { items: ["The files.", "DownwardFile"] },
  KeyToPath: { key: "The key.", path: "The file's path in the volume.", mode: "Permissions of this file." },
  VolumeMount: {
    name: "The volume's name.",
    mountPath: "Where it is in the container.",
    readOnly: "True: the container can't write to it. What the agent writes never can be.",
    subPath: "A part of the volume, which does not follow changes.",
    subPathExpr: "The same, with $(NAME) of the container's environment.",
  },
  LocalObjectReference: { name: "The name of an object in the same Namespace." },
  HostAlias: { ip: "The address.", hostnames: "Its names." },
  DnsConfig: {
    nameservers: "Addresses of name servers; three are used.",
    searches: "Domains in which short names are looked for.",
    options: ["Options of the resolver.", "DnsOption"],
  },
  DnsOption: { name: "The option's name, for example ndots.", value: "Its value, for those that have one." },
  ReadinessGate: { conditionType: "The condition's type in status.conditions." },
  PodSecurityContext: {
    runAsUser: "Number of the user; otherwise the image's.",
    runAsGroup: "Number of the user's group.",
    runAsNonRoot: "True: a container that would run as root is not started.",
    supplementalGroups: "Numbers of more groups.",
    fsGroup: "Number of one more group, that of volumes.",
    seccompProfile: ["Which system calls there are.", "SeccompProfile"],
    sysctls: ["Kernel parameters of the Pod's own network and inter-process communication.", "Sysctl"],
  },
  Sysctl: { name: "The parameter's name.", value: "Its value." },
  SeccompProfile: {
    type: "RuntimeDefault (also without a profile): the engine's. Unconfined: all calls. Localhost: a file of the node.",
    localhostProfile: "For Localhost: path in the node's folder of profiles.",
  },
  SecurityContext: {
    runAsUser: "Number of the user; otherwise the Pod's, or the image's.",
    runAsGroup: "Number of the user's group.",
    runAsNonRoot: "True: it is not started if it would run as root.",
    privileged: "True: all rights on its node. Needs the privileged level.",
    allowPrivilegeEscalation: "False: no program gives it more rights than it began with.",
    readOnlyRootFilesystem: "True: the image's files can't be changed.",
    capabilities: ["Rights beside the engine's few, or fewer of them.", "Capabilities"],
    seccompProfile: ["Which system calls there are; otherwise the Pod's.", "SeccompProfile"],
    procMount: "Default; what /proc hides stays hidden.",
  },
  Capabilities: { add: "Names, with or without CAP_.", drop: "Names; ALL for every one." },
  Toleration: {
    key: "The taint's key; empty with Exists means all.",
    operator: "Equal (the default) compares the value, Exists does not.",
    value: "The taint's value, for Equal.",
    effect: "The taint's effect; empty means all.",
    tolerationSeconds: "For NoExecute: how long the Pod stays all the same; absent means for ever.",
  },
  Container: {
    name: "Unique in the Pod; can't be changed.",
    image: "The image, with tag or digest.",
    command: "Instead of the image's entrypoint; no shell reads it.",
    args: "Instead of the image's arguments.",
    workingDir: "Where it starts; otherwise where the image says.",
    ports: ["Ports it listens on, for people and probes; others are reachable too.", "ContainerPort"],
    env: ["Environment variables.", "EnvVar"],
    envFrom: [
      "Whole ConfigMaps and Secrets as environment variables; what env says of the same name holds.",
      "EnvFrom",
    ],
    resources: ["What it needs and what it may have.", "Resources"],
    imagePullPolicy:
      "When the image is pulled. The default is Always for the tag latest or none, IfNotPresent for others.",
    readinessProbe: ["Whether it can serve; a Pod that can't is not Ready.", "Probe"],
    livenessProbe: ["Whether it lives; one that does not is started again.", "Probe"],
    startupProbe: ["Whether it is up; the other probes wait for it.", "Probe"],
    lifecycle: ["What is done after its start and before its end.", "Lifecycle"],
    restartPolicy: "Always, of an init container: it is a sidecar, which starts in its turn and runs on.",
    securityContext: ["Who it is and what it may do, before what the Pod says.", "SecurityContext"],
    stdin: "True: its input stays open for attach.",
    stdinOnce: "True: its input ends with the first attach.",
    tty: "True: it has a terminal.",
    volumeMounts: ["Where it finds the Pod's volumes.", "VolumeMount"],
    terminationMessagePath: "File for its last words; /dev/termination-log by default.",
    terminationMessagePolicy: "FallbackToLogsOnError: the end of its output stands for last words that are missing.",
  },
  Lifecycle: {
    postStart: ["Done right after its start; until it succeeds the container counts as made.", "Hook"],
    preStop: ["Done before the stop signal, within the grace.", "Hook"],
    stopSignal: "Instead of the image's, or SIGTERM.",
  },
  Hook: {
    exec: ["A command in the container; 0 is success.", "ExecAction"],
    httpGet: ["An HTTP request; any answer is success.", "HttpAction"],
    sleep: ["Some seconds of waiting.", "SleepAction"],
  },
  SleepAction: { seconds: "How many." },
  ContainerPort: {
    hostPort: "Port of the node that leads to it. Needs the privileged level.",
    hostIP: "Address of the node for it; otherwise all.",
    name: "By which probes may name it.",
    containerPort: "The port's number in the container.",
    protocol: "The port's protocol.",
  },
  EnvVar: {
    name: "The variable's name.",
    value: "Its value; $(NAME) stands for a variable before it.",
    valueFrom: ["Where its value is, instead.", "EnvSource"],
  },
  EnvSource: {
    configMapKeyRef: ["A key of a ConfigMap in the Pod's Namespace.", "KeyReference"],
    secretKeyRef: ["A key of a Secret in the Pod's Namespace.", "KeyReference"],
    fieldRef: ["A field of the Pod itself.", "FieldReference"],
    resourceFieldRef: ["A request or limit of a container.", "ResourceReference"],
  },
  KeyReference: {
    name: "The object's name.",
    key: "The key in its data.",
    optional: "True: without it there is no variable; otherwise the container waits for it.",
  },
  FieldReference: {
    fieldPath: "metadata.name, metadata.labels['KEY'], spec.nodeName, status.podIP and the like.",
    apiVersion: "In which the path is written.",
  },
  ResourceReference: {
    resource: "For example limits.cpu or requests.memory; a limit that is not set is what the node has.",
    containerName: "The container; otherwise this one.",
    divisor: "In which unit, rounded up; 1 by default.",
  },
  EnvFrom: {
    prefix: "Put before each name.",
    configMapRef: ["A ConfigMap in the Pod's Namespace.", "EnvFromReference"],
    secretRef: ["A Secret in the Pod's Namespace.", "EnvFromReference"],
  },
  EnvFromReference: {
    name: "The object's name.",
    optional: "True: it need not be there; otherwise the container waits for it.",
  },
  Resources: {
    requests: "What the scheduler sets aside: cpu, memory. The default is what limits says.",
    limits: "What it may not exceed: with more memory it is killed, with more cpu it is slowed down.",
  },
  Probe: {
    exec: ["A command in the container; 0 is success.", "ExecAction"],
    httpGet: ["An HTTP request; 200 to 399 is success.", "HttpAction"],
    tcpSocket: ["A connection that is accepted is success.", "TcpAction"],
    grpc: ["SERVING from grpc.health.v1 is success.", "GrpcAction"],
    terminationGracePeriodSeconds: "In place of the Pod's, when this probe ends the container.",
    initialDelaySeconds: "Seconds after the start before the first try.",
    periodSeconds: "Seconds from try to try.",
    timeoutSeconds: "Seconds after which a try has failed.",
    successThreshold: "Successes in a row after a failure that count as one; 1 for liveness and startup.",
    failureThreshold: "Failures in a row that count as one.",
  },
  ExecAction: { command: "The command and its arguments; no shell reads them." },
  HttpAction: {
    path: "The path that is asked for.",
    port: "Number, or name of one of the container's ports.",
    host: "Host header and name; otherwise the Pod's address.",
    scheme: "HTTP, or HTTPS without a look at the certificate.",
    httpHeaders: ["More headers.", "HttpHeader"],
  },
  HttpHeader: { name: "The header's name.", value: "Its value." },
  TcpAction: { port: "Number, or name of one of the container's ports.", host: "Otherwise the Pod's address." },
  GrpcAction: { port: "The port's number.", service: "The service that is asked about; otherwise the server." },
  PodStatus: {
    phase: "Where it is in its life: Pending until its containers have started, Running, Succeeded or Failed.",
    conditions: ["PodScheduled, PodReadyToStartContainers, Initialized, ContainersReady, Ready.", "Condition"],
    reason: "Why it is so, in one word.",
    message: "Why it is so, in a sentence.",
    podIP: "Its address.",
    podIPs: ["The same as a list.", "Address"],
    hostIP: "Its node's address.",
    hostIPs: ["The same as a list.", "Address"],
    startTime: "When its node took it.",
    containerStatuses: ["Each of spec.containers.", "ContainerStatus"],
    initContainerStatuses: ["Each of spec.initContainers.", "ContainerStatus"],
    ephemeralContainerStatuses: ["Each of spec.ephemeralContainers.", "ContainerStatus"],
    observedGeneration: "The metadata.generation that this is about.",
    nominatedNodeName: unused,
    qosClass: unused,
    resize: unused,
    resourceClaimStatuses: unused,
  },
  Address: { ip: "The address." },
  ContainerStatus: {
    name: "The container's name.",
    image: "The image it runs.",
    imageID: "Digest of the image it runs.",
    containerID: "The engine's id, as docker://ID.",
    ready: "Its readiness probe succeeds, or it has none and runs.",
    started: "It runs, and its startup probe has succeeded.",
    restartCount: "How often it was started again.",
    state: ["How it is.", "ContainerState"],
    lastState: ["How it ended the time before.", "ContainerState"],
    allocatedResources: unused,
    allocatedResourcesStatus: unused,
    resources: unused,
    stopSignal: unused,
    user: unused,
    volumeMounts: unused,
  },
  ContainerState: {
    waiting: ["It does not run yet.", "Waiting"],
    running: ["It runs.", "Running"],
    terminated: ["It has ended.", "Terminated"],
  },
  Waiting: { reason: "Why, in one word.", message: "Why, in a sentence." },
  Running: { startedAt: "Since when." },
  Terminated: {
    exitCode: "The code it ended with.",
    signal: "The signal that ended it.",
    reason: "Completed, Error, OOMKilled and the like.",
    message: "What it said at its end.",
    startedAt: "When it had started.",
    finishedAt: "When it ended.",
    containerID: "The engine's id, as docker://ID.",
  },

  ReplicaSet: {
    "": "As many Pods of one template as are wanted. Deployments make them.",
    spec: ["What is wanted.", "ReplicaSetSpec"],
    status: ["How it is.", "ReplicaSetStatus"],
  },
  ReplicaSetSpec: {
    replicas: "How many Pods there should be.",
    minReadySeconds: "How many seconds a Pod has to be ready before it counts as available.",
    selector: ["Which Pods are its own; has to match the template's labels. Can't be changed.", "LabelSelector"],
    template: ["What its Pods are made from.", "PodTemplate"],
  },
  ReplicaSetStatus: {
    replicas: "How many Pods there are.",
    fullyLabeledReplicas: "How many of them have all the template's labels.",
    readyReplicas: "How many are ready.",
    availableReplicas: "How many have been ready for minReadySeconds.",
    terminatingReplicas: "How many are going.",
    observedGeneration: "The metadata.generation that this is about.",
    conditions: ["ReplicaFailure when Pods can't be made.", "Condition"],
  },
  Deployment: {
    "": "Pods of one template, replaced bit by bit when the template changes.",
    spec: ["What is wanted.", "DeploymentSpec"],
    status: ["How it is.", "DeploymentStatus"],
  },
  DeploymentSpec: {
    replicas: "How many Pods there should be.",
    selector: ["Which Pods are its own; has to match the template's labels. Can't be changed.", "LabelSelector"],
    template: ["What its Pods are made from; a change of it begins a rollout.", "PodTemplate"],
    strategy: ["How old Pods are replaced by new ones.", "DeploymentStrategy"],
    minReadySeconds: "How many seconds a new Pod has to be ready before the rollout goes on.",
    revisionHistoryLimit: "How many old ReplicaSets are kept to go back to.",
    progressDeadlineSeconds:
      "Seconds without progress after which the rollout counts as failed. It is tried on all the same.",
    paused: "True: changes of the template wait.",
  },
  DeploymentStrategy: {
    type: "RollingUpdate, or Recreate: all old Pods go before the first new one comes.",
    rollingUpdate: ["The steps of a rolling update.", "RollingUpdate"],
  },
  RollingUpdate: {
    maxSurge: "How many Pods there may be above replicas: a number, or a percentage of replicas, rounded up.",
    maxUnavailable: "How many of replicas may be missing: a number, or a percentage of replicas, rounded down.",
  },
  DeploymentStatus: {
    observedGeneration: "The metadata.generation that this is about.",
    replicas: "How many Pods there are, old and new.",
    updatedReplicas: "How many are of the present template.",
    readyReplicas: "How many are ready.",
    availableReplicas: "How many have been ready for minReadySeconds.",
    unavailableReplicas: "How many are missing to be available.",
    terminatingReplicas: "How many are going.",
    collisionCount: "How often a name for a new ReplicaSet was taken.",
    conditions: ["Available and Progressing.", "Condition"],
  },
  ...setDescriptions,

  Event: {
    "": "Something that happened to an object. The cluster keeps them for a while.",
    involvedObject: ["What it happened to.", "ObjectReference"],
    related: ["Another object that had to do with it.", "ObjectReference"],
    reason: "What happened, in one word.",
    message: "What happened, in a sentence.",
    type: "Normal or Warning.",
    count: "How often it happened.",
    firstTimestamp: "When it happened first.",
    lastTimestamp: "When it happened last.",
    source: ["Who says so.", "EventSource"],
    action: "What was tried.",
    eventTime: "When it happened first, more exactly.",
    reportingComponent: "The program that says so.",
    reportingInstance: "Which of its processes.",
    series: ["Repetitions, where they are counted apart.", "EventSeries"],
  },
  EventSource: { component: "The program.", host: "The machine it runs on." },
  EventSeries: { count: "How often it happened.", lastObservedTime: "When it happened last." },

  ...batchDescriptions,
  Condition: condition,
  ObjectReference: objectReference,
  ...schedulingDescriptions,
};

/** What a kind is. */
export function kindDescription(kind: string): string | undefined {
  const described = types[kind]?.[""];
  return typeof described === "string" ? described : undefined;
}

/** What a field of a kind means: `fieldDescription("Deployment", ["spec", "replicas"])`; undefined when nobody has said. */
export function fieldDescription(kind: string, path: readonly string[]): string | undefined {
  let type = kind;
  let text: string | undefined;
  for (const [depth, field] of path.entries()) {
    const described = lookUp(type, field) ?? (depth === 0 ? lookUp("Object", field) : undefined);
    if (described === undefined) return text === unused ? unused : undefined;
    [text, type] = typeof described === "string" ? [described, ""] : described;
  }
  return text;
}

function lookUp(type: string, field: string): Described | undefined {
  const fields = Object.hasOwn(types, type) ? types[type] : undefined;
  return fields && Object.hasOwn(fields, field) ? fields[field] : undefined;
}
