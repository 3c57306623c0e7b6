import assert from "node:assert/strict";
import { validateObject } from "../../src/api/validate.js";
import { objectOf, podManifest, withValue, type Manifest } from "./manifests.js";

type Row = readonly [what: string, path: string, value: unknown, ...faults: string[]];

function refusals(base: () => Manifest, rows: readonly Row[]): void {
  for (const [what, path, value, ...faults] of rows)
    it(`${faults.length === 0 ? "takes" : "refuses"} ${what}`, () => {
      const found = validateObject(objectOf(withValue(base(), path, value)));
      assert.deepEqual(
        found.map(({ field, reason }) => `${field} ${reason}`),
        faults,
      );
    });
}

describe("rules of volumes", () => {
  const at = "spec.volumes[0]";
  const items = (path: string, more = {}) => [
    { name: "v", configMap: { name: "c", items: [{ key: "k", path, ...more }] } },
  ];
  const named = (volumeAttributes: Record<string, string>) => ({ driver: "volumes.ikada.dev", volumeAttributes });
  const wrongPath = `${at}.configMap.items[0].path Invalid`;
  refusals(podManifest, [
    ["an empty folder", "spec.volumes", [{ name: "v", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } }]],
    [
      "an unknown medium",
      "spec.volumes",
      [{ name: "v", emptyDir: { medium: "Tape" } }],
      `${at}.emptyDir.medium NotSupported`,
    ],
    ["two sources", "spec.volumes", [{ name: "v", emptyDir: {}, configMap: { name: "c" } }], `${at} Invalid`],
    ["a ConfigMap without a name", "spec.volumes", [{ name: "v", configMap: {} }], `${at}.configMap.name Required`],
    ["a Secret without a name", "spec.volumes", [{ name: "v", secret: {} }], `${at}.secret.secretName Required`],
    ["a path of folders", "spec.volumes", items("a/b/c", { mode: 0o400 })],
    ["an absolute path", "spec.volumes", items("/a"), wrongPath],
    ["a path that leads out", "spec.volumes", items("a/../../b"), wrongPath],
    ["a path in place of the writer's link", "spec.volumes", items("..data"), wrongPath],
    ["too many permissions", "spec.volumes", items("a", { mode: 0o1777 }), `${at}.configMap.items[0].mode Invalid`],
    ["a relative hostPath", "spec.volumes", [{ name: "v", hostPath: { path: "a" } }], `${at}.hostPath.path Invalid`],
    [
      "a hostPath that climbs",
      "spec.volumes",
      [{ name: "v", hostPath: { path: "/a/../b" } }],
      `${at}.hostPath.path Invalid`,
    ],
    [
      "a field that changes after the start",
      "spec.volumes",
      [{ name: "v", downwardAPI: { items: [{ path: "ip", fieldRef: { fieldPath: "status.podIP" } }] } }],
      `${at}.downwardAPI.items[0].fieldRef.fieldPath NotSupported`,
    ],
    ["a volume of the engine", "spec.volumes", [{ name: "v", csi: named({ name: "data" }) }]],
    [
      "a driver that nobody has",
      "spec.volumes",
      [{ name: "v", csi: { driver: "ebs.csi.aws.com", volumeAttributes: { name: "data" } } }],
      `${at}.csi.driver NotSupported`,
    ],
    [
      "a volume of the engine without a name",
      "spec.volumes",
      [{ name: "v", csi: named({}) }],
      `${at}.csi.volumeAttributes.name Required`,
    ],
    ...["", "../data", "a_b", "A", "-a", "a".repeat(64)].map((name): Row => [
      `"${name}" as the name of one`,
      "spec.volumes",
      [{ name: "v", csi: named({ name }) }],
      `${at}.csi.volumeAttributes.name Invalid`,
    ]),
    [
      "what a volume of the engine does not know",
      "spec.volumes",
      [
        {
          name: "v",
          csi: { ...named({ name: "data", size: "1Gi" }), fsType: "ext4", nodePublishSecretRef: { name: "s" } },
        },
      ],
      `${at}.csi.volumeAttributes.size NotSupported`,
      `${at}.csi.fsType NotSupported`,
      `${at}.csi.nodePublishSecretRef NotSupported`,
    ],
    [
      "a negative sizeLimit",
      "spec.volumes",
      [{ name: "v", emptyDir: { sizeLimit: "-1" } }],
      `${at}.emptyDir.sizeLimit Invalid`,
    ],
    [
      "a projection of two sources",
      "spec.volumes",
      [{ name: "v", projected: { sources: [{ configMap: { name: "c" }, secret: { name: "s" } }] } }],
      `${at}.projected.sources[0] Invalid`,
    ],
  ]);
  const mount = "spec.containers[0].volumeMounts[0]";
  const mounted = () => withValue(podManifest(), "spec.volumes", [{ name: "v", emptyDir: {} }]);
  const mounts = (more: object) => [{ name: "v", mountPath: "/v", ...more }];
  refusals(mounted, [
    ["a mount", "spec.containers.0.volumeMounts", mounts({ subPath: "a/b", readOnly: true })],
    ["a mount of no volume", "spec.containers.0.volumeMounts", mounts({ name: "w" }), `${mount}.name Invalid`],
    ["a relative mount", "spec.containers.0.volumeMounts", mounts({ mountPath: "v" }), `${mount}.mountPath Invalid`],
    [
      "a mount in place of the root",
      "spec.containers.0.volumeMounts",
      mounts({ mountPath: "//" }),
      `${mount}.mountPath Invalid`,
    ],
    [
      "a part that leads out",
      "spec.containers.0.volumeMounts",
      mounts({ subPath: "a/../../b" }),
      `${mount}.subPath Invalid`,
    ],
    ["an absolute part", "spec.containers.0.volumeMounts", mounts({ subPath: "/a" }), `${mount}.subPath Invalid`],
    [
      "two parts",
      "spec.containers.0.volumeMounts",
      mounts({ subPath: "a", subPathExpr: "b" }),
      `${mount}.subPathExpr Invalid`,
    ],
  ]);
});
