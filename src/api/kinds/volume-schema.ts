import { labelSelector, metadataSchema } from "./metadata-schema.js";
import {
  atomicList,
  boolean,
  int32,
  int64,
  kept,
  mapOf,
  object,
  oneOf,
  quantity,
  required,
  string,
} from "../schema.js";

export const fieldReference = object({ fieldPath: required(string()), apiVersion: string() }, { atomic: true });
export const resourceFieldReference = object(
  { resource: required(string()), containerName: string(), divisor: quantity() },
  { atomic: true },
);
const secretReference = object({ name: string() }, { atomic: true });
const keyToPath = object({ key: required(string()), path: required(string()), mode: int32() });
const downwardApiFile = object({
  path: required(string()),
  fieldRef: fieldReference,
  mode: int32(),
  resourceFieldRef: resourceFieldReference,
});

const hostPathTypes = [
  "DirectoryOrCreate",
  "Directory",
  "FileOrCreate",
  "File",
  "Socket",
  "CharDevice",
  "BlockDevice",
] as const;

/** core/v1 Volume: every source of Kubernetes 1.33 is known; a Pod with one that is not acted on waits for it for ever. */
export const volume = object({
  name: required(string({ format: "dnsLabel" })),
  awsElasticBlockStore: kept(
    object({
      fsType: string(),
      partition: int32(),
      readOnly: boolean(),
      volumeID: required(string()),
    }),
  ),
  azureDisk: kept(
    object({
      cachingMode: string(),
      diskName: required(string()),
      diskURI: required(string()),
      fsType: string(),
      kind: string(),
      readOnly: boolean(),
    }),
  ),
  azureFile: kept(object({ readOnly: boolean(), secretName: required(string()), shareName: required(string()) })),
  cephfs: kept(
    object({
      monitors: required(atomicList(string())),
      path: string(),
      readOnly: boolean(),
      secretFile: string(),
      secretRef: secretReference,
      user: string(),
    }),
  ),
  cinder: kept(
    object({ fsType: string(), readOnly: boolean(), secretRef: secretReference, volumeID: required(string()) }),
  ),
  configMap: object({ defaultMode: int32(), items: atomicList(keyToPath), name: string(), optional: boolean() }),
  csi: object({
    driver: required(string()),
    fsType: string(),
    nodePublishSecretRef: secretReference,
    readOnly: boolean(),
    volumeAttributes: mapOf(string()),
  }),
  downwardAPI: object({ defaultMode: int32(), items: atomicList(downwardApiFile) }),
  emptyDir: object({ medium: oneOf(["", "Memory"]), sizeLimit: quantity() }),
  ephemeral: kept(
    object({
      volumeClaimTemplate: object({
        metadata: metadataSchema,
        spec: required(
          object({
            accessModes: atomicList(string()),
            dataSource: object(
              { apiGroup: string(), kind: required(string()), name: required(string()) },
              { atomic: true },
            ),
            dataSourceRef: object({
              apiGroup: string(),
              kind: required(string()),
              name: required(string()),
              namespace: string(),
            }),
            resources: object({ limits: mapOf(quantity()), requests: mapOf(quantity()) }),
            selector: labelSelector,
            storageClassName: string(),
            volumeAttributesClassName: string(),
            volumeMode: string(),
            volumeName: string(),
          }),
        ),
      }),
    }),
  ),
  fc: kept(
    object({
      fsType: string(),
      lun: int32(),
      readOnly: boolean(),
      targetWWNs: atomicList(string()),
      wwids: atomicList(string()),
    }),
  ),
  flexVolume: kept(
    object({
      driver: required(string()),
      fsType: string(),
      options: mapOf(string()),
      readOnly: boolean(),
      secretRef: secretReference,
    }),
  ),
  flocker: kept(object({ datasetName: string(), datasetUUID: string() })),
  gcePersistentDisk: kept(
    object({ fsType: string(), partition: int32(), pdName: required(string()), readOnly: boolean() }),
  ),
  gitRepo: kept(object({ directory: string(), repository: required(string()), revision: string() })),
  glusterfs: kept(object({ endpoints: required(string()), path: required(string()), readOnly: boolean() })),
  hostPath: object({ path: required(string()), type: oneOf(["", ...hostPathTypes]) }),
  image: kept(object({ pullPolicy: string(), reference: string() })),
  iscsi: kept(
    object({
      chapAuthDiscovery: boolean(),
      chapAuthSession: boolean(),
      fsType: string(),
      initiatorName: string(),
      iqn: required(string()),
      iscsiInterface: string(),
      lun: required(int32()),
      portals: atomicList(string()),
      readOnly: boolean(),
      secretRef: secretReference,
      targetPortal: required(string()),
    }),
  ),
  nfs: kept(object({ path: required(string()), readOnly: boolean(), server: required(string()) })),
  persistentVolumeClaim: kept(object({ claimName: required(string()), readOnly: boolean() })),
  photonPersistentDisk: kept(object({ fsType: string(), pdID: required(string()) })),
  portworxVolume: kept(object({ fsType: string(), readOnly: boolean(), volumeID: required(string()) })),
  projected: object({
    defaultMode: int32(),
    sources: atomicList(
      object({
        clusterTrustBundle: kept(
          object({
            labelSelector: labelSelector,
            name: string(),
            optional: boolean(),
            path: required(string()),
            signerName: string(),
          }),
        ),
        configMap: object({ items: atomicList(keyToPath), name: string(), optional: boolean() }),
        downwardAPI: object({ items: atomicList(downwardApiFile) }),
        secret: object({ items: atomicList(keyToPath), name: string(), optional: boolean() }),
        serviceAccountToken: kept(object({ audience: string(), expirationSeconds: int64(), path: required(string()) })),
      }),
    ),
  }),
  quobyte: kept(
    object({
      group: string(),
      readOnly: boolean(),
      registry: required(string()),
      tenant: string(),
      user: string(),
      volume: required(string()),
    }),
  ),
  rbd: kept(
    object({
      fsType: string(),
      image: required(string()),
      keyring: string(),
      monitors: required(atomicList(string())),
      pool: string(),
      readOnly: boolean(),
      secretRef: secretReference,
      user: string(),
    }),
  ),
  scaleIO: kept(
    object({
      fsType: string(),
      gateway: required(string()),
      protectionDomain: string(),
      readOnly: boolean(),
      secretRef: required(secretReference),
      sslEnabled: boolean(),
      storageMode: string(),
      storagePool: string(),
      system: required(string()),
      volumeName: string(),
    }),
  ),
  secret: object({ defaultMode: int32(), items: atomicList(keyToPath), optional: boolean(), secretName: string() }),
  storageos: kept(
    object({
      fsType: string(),
      readOnly: boolean(),
      secretRef: secretReference,
      volumeName: string(),
      volumeNamespace: string(),
    }),
  ),
  vsphereVolume: kept(
    object({
      fsType: string(),
      storagePolicyID: string(),
      storagePolicyName: string(),
      volumePath: required(string()),
    }),
  ),
});
