import { labelSelector, metadataSchema } from "./metadata-schema.js";
import { atomicList, boolean, int32, int64, mapOf, object, quantity, refused, required, string } from "../schema.js";

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

/** core/v1 Volume: every source of Kubernetes 1.33 is known, none is acted on, and one that reaches into the host is refused. */
export const volume = object({
  name: required(string({ format: "dnsLabel" })),
  awsElasticBlockStore: object({
    fsType: string(),
    partition: int32(),
    readOnly: boolean(),
    volumeID: required(string()),
  }),
  azureDisk: object({
    cachingMode: string(),
    diskName: required(string()),
    diskURI: required(string()),
    fsType: string(),
    kind: string(),
    readOnly: boolean(),
  }),
  azureFile: object({ readOnly: boolean(), secretName: required(string()), shareName: required(string()) }),
  cephfs: object({
    monitors: required(atomicList(string())),
    path: string(),
    readOnly: boolean(),
    secretFile: string(),
    secretRef: secretReference,
    user: string(),
  }),
  cinder: object({ fsType: string(), readOnly: boolean(), secretRef: secretReference, volumeID: required(string()) }),
  configMap: object({ defaultMode: int32(), items: atomicList(keyToPath), name: string(), optional: boolean() }),
  csi: object({
    driver: required(string()),
    fsType: string(),
    nodePublishSecretRef: secretReference,
    readOnly: boolean(),
    volumeAttributes: mapOf(string()),
  }),
  downwardAPI: object({ defaultMode: int32(), items: atomicList(downwardApiFile) }),
  emptyDir: object({ medium: string(), sizeLimit: quantity() }),
  ephemeral: object({
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
  fc: object({
    fsType: string(),
    lun: int32(),
    readOnly: boolean(),
    targetWWNs: atomicList(string()),
    wwids: atomicList(string()),
  }),
  flexVolume: object({
    driver: required(string()),
    fsType: string(),
    options: mapOf(string()),
    readOnly: boolean(),
    secretRef: secretReference,
  }),
  flocker: object({ datasetName: string(), datasetUUID: string() }),
  gcePersistentDisk: object({ fsType: string(), partition: int32(), pdName: required(string()), readOnly: boolean() }),
  gitRepo: object({ directory: string(), repository: required(string()), revision: string() }),
  glusterfs: object({ endpoints: required(string()), path: required(string()), readOnly: boolean() }),
  hostPath: refused(
    object({ path: required(string()), type: string() }),
    "a Pod has no way into the files of its node in Ikada",
  ),
  image: object({ pullPolicy: string(), reference: string() }),
  iscsi: object({
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
  nfs: object({ path: required(string()), readOnly: boolean(), server: required(string()) }),
  persistentVolumeClaim: object({ claimName: required(string()), readOnly: boolean() }),
  photonPersistentDisk: object({ fsType: string(), pdID: required(string()) }),
  portworxVolume: object({ fsType: string(), readOnly: boolean(), volumeID: required(string()) }),
  projected: object({
    defaultMode: int32(),
    sources: atomicList(
      object({
        clusterTrustBundle: object({
          labelSelector: labelSelector,
          name: string(),
          optional: boolean(),
          path: required(string()),
          signerName: string(),
        }),
        configMap: object({ items: atomicList(keyToPath), name: string(), optional: boolean() }),
        downwardAPI: object({ items: atomicList(downwardApiFile) }),
        secret: object({ items: atomicList(keyToPath), name: string(), optional: boolean() }),
        serviceAccountToken: object({ audience: string(), expirationSeconds: int64(), path: required(string()) }),
      }),
    ),
  }),
  quobyte: object({
    group: string(),
    readOnly: boolean(),
    registry: required(string()),
    tenant: string(),
    user: string(),
    volume: required(string()),
  }),
  rbd: object({
    fsType: string(),
    image: required(string()),
    keyring: string(),
    monitors: required(atomicList(string())),
    pool: string(),
    readOnly: boolean(),
    secretRef: secretReference,
    user: string(),
  }),
  scaleIO: object({
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
  secret: object({ defaultMode: int32(), items: atomicList(keyToPath), optional: boolean(), secretName: string() }),
  storageos: object({
    fsType: string(),
    readOnly: boolean(),
    secretRef: secretReference,
    volumeName: string(),
    volumeNamespace: string(),
  }),
  vsphereVolume: object({
    fsType: string(),
    storagePolicyID: string(),
    storagePolicyName: string(),
    volumePath: required(string()),
  }),
});
