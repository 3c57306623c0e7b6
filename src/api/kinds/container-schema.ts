import {
  atomicList,
  boolean,
  int32,
  kept,
  listBy,
  mapOf,
  object,
  oneOf,
  quantity,
  refused,
  required,
  string,
  type Schema,
} from "../schema.js";
import { lifecycle, probe } from "./probe-schema.js";
import { securityContext } from "./security-context-schema.js";
import { resourceFieldReference } from "./volume-schema.js";

const keyReference = object(
  {
    name: required(string({ format: "dnsSubdomain" })),
    key: required(string({ format: "dataKey" })),
    optional: boolean(),
  },
  { atomic: true },
);

const envVar = object({
  name: required(string({ format: "envName" })),
  value: string(),
  valueFrom: object({
    configMapKeyRef: keyReference,
    secretKeyRef: keyReference,
    fieldRef: object({ fieldPath: required(string()), apiVersion: string({ default: "v1" }) }, { atomic: true }),
    resourceFieldRef: resourceFieldReference,
  }),
});

const source = object({ name: required(string({ format: "dnsSubdomain" })), optional: boolean() });

const envFromSource = object({ prefix: string(), configMapRef: source, secretRef: source });

const containerPort = object({
  name: string({ format: "portName" }),
  containerPort: required(int32({ minimum: 1, maximum: 65_535 })),
  protocol: oneOf(["TCP", "UDP", "SCTP"], { default: "TCP" }),
  hostPort: int32({ maximum: 65_535 }),
  hostIP: string(),
});

const amounts = mapOf(quantity(), { keyFormat: "resourceName" });

export const resources = object({
  requests: amounts,
  limits: amounts,
  claims: kept(listBy(["name"], object({ name: required(string()), request: string() }), { mergeKey: null })),
});

const noDevices =
  "volumes are not given as devices by this version of Ikada: a container that relies on one would miss its data";

/** The fields of core/v1 Container in Kubernetes 1.33. */
const fields: Readonly<Record<string, Schema>> = {
  name: required(string({ format: "dnsLabel" })),
  image: required(string()),
  command: atomicList(string()),
  args: atomicList(string()),
  workingDir: string(),
  ports: listBy(["containerPort", "protocol"], containerPort),
  env: listBy(["name"], envVar),
  envFrom: atomicList(envFromSource),
  resources,
  imagePullPolicy: oneOf(["Always", "IfNotPresent", "Never"]),
  readinessProbe: probe,
  livenessProbe: probe,
  startupProbe: probe,
  lifecycle,
  securityContext,
  resizePolicy: kept(atomicList(object({ resourceName: required(string()), restartPolicy: required(string()) })), []),
  restartPolicy: oneOf(["Always"]),
  stdin: boolean(),
  stdinOnce: boolean(),
  tty: boolean(),
  terminationMessagePath: string(),
  terminationMessagePolicy: oneOf(["File", "FallbackToLogsOnError"]),
  volumeDevices: refused(
    listBy(["devicePath"], object({ devicePath: required(string()), name: required(string()) })),
    noDevices,
  ),
  volumeMounts: listBy(
    ["mountPath"],
    object({
      name: required(string()),
      mountPath: required(string()),
      mountPropagation: kept(string(), "", "None"),
      readOnly: boolean(),
      recursiveReadOnly: kept(string(), "", "Disabled"),
      subPath: string(),
      subPathExpr: string(),
    }),
  ),
};

export const container = object(fields);

/** core/v1 EphemeralContainer: a Container that may name the one it looks into. */
export const ephemeralContainer = object({ ...fields, targetContainerName: string() });
