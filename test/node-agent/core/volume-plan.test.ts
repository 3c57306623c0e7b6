import assert from "node:assert/strict";
import { planVolume, type VolumePlan } from "../../../node-agent/core/volume-plan.js";
import type { ConfigMap, Secret } from "../../../src/api/kinds/core.js";
import type { Volume } from "../../../src/api/kinds/pod.js";
import { podOf } from "../agent-world.js";

const configMap: ConfigMap = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "c", namespace: "default" },
  data: { a: "1", b: "2" },
  binaryData: { raw: "AP8=" },
};
const secret: Secret = {
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "s", namespace: "default" },
  data: { a: "c2VjcmV0", invalid: "/w==" },
};

function plan(source: Omit<Volume, "name">, fsGroup?: number): VolumePlan | string {
  const pod = podOf(
    "p",
    {
      ...(fsGroup !== undefined && { securityContext: { fsGroup } }),
      containers: [{ name: "main", image: "i", resources: { limits: { cpu: "1500m" } } }],
    },
    { labels: { z: 'say "hi"', app: "web" }, annotations: { note: "two\nlines" } },
  );
  return planVolume(
    { name: "v", ...source },
    {
      pod,
      nodeName: "n",
      allocatable: {},
      configMap: (namespace, name) => (namespace === "default" && name === "c" ? configMap : undefined),
      secret: (namespace, name) => (namespace === "default" && name === "s" ? secret : undefined),
    },
  );
}

function refusalOf(made: VolumePlan | string): string {
  return typeof made === "string" ? made : "none";
}

/** `path mode content`. */
function files(source: Omit<Volume, "name">, fsGroup?: number): readonly string[] {
  const made = plan(source, fsGroup);
  assert.ok(typeof made !== "string" && made.kind === "files", "a refusal, or no files");
  return made.files.map(
    ({ path, mode, bytes }) => `${path} ${mode.toString(8)} ${Buffer.from(bytes).toString("latin1")}`,
  );
}

describe("plans of volumes", () => {
  it("all keys of a ConfigMap, texts and bytes, or chosen ones with paths and modes", () => {
    assert.deepEqual(files({ configMap: { name: "c" } }), ["a 644 1", "b 644 2", "raw 644 \x00\xff"]);
    const items = [
      { key: "b", path: "sub/deep", mode: 0o400 },
      { key: "a", path: "x" },
    ];
    assert.deepEqual(files({ configMap: { name: "c", items, defaultMode: 0o600 } }), ["sub/deep 400 2", "x 600 1"]);
  });

  it("a Secret's bytes are not taken for text", () => {
    assert.deepEqual(files({ secret: { secretName: "s" } }), ["a 644 secret", "invalid 644 \xff"]);
  });

  it("the Pod's fields, quoted and in order, and a container's resources", () => {
    const field = (path: string, fieldPath: string) => ({ path, fieldRef: { fieldPath } });
    const cpu = { path: "cpu", resourceFieldRef: { resource: "limits.cpu", containerName: "main", divisor: "1m" } };
    const items = [
      field("labels", "metadata.labels"),
      field("notes", "metadata.annotations"),
      field("app", "metadata.labels['app']"),
      cpu,
    ];
    assert.deepEqual(files({ downwardAPI: { items } }), [
      "app 644 web",
      "cpu 644 1500",
      'labels 644 app="web"\nz="say \\"hi\\""',
      'notes 644 note="two\\nlines"',
    ]);
  });

  it("projected: several in one folder, the later wins", () => {
    const sources = [{ configMap: { name: "c" } }, { secret: { name: "s", items: [{ key: "a", path: "a" }] } }];
    assert.deepEqual(files({ projected: { sources, defaultMode: 0o440 } }), [
      "a 440 secret",
      "b 440 2",
      "raw 440 \x00\xff",
    ]);
  });

  it("what is missing is named in Kubernetes' words, unless it is optional", () => {
    const failed = 'MountVolume.SetUp failed for volume "v" : ';
    assert.equal(plan({ configMap: { name: "none" } }), `${failed}configmap "none" not found`);
    assert.equal(plan({ secret: { secretName: "none" } }), `${failed}secret "none" not found`);
    assert.equal(
      plan({ secret: { secretName: "s", items: [{ key: "k", path: "k" }] } }),
      `${failed}references non-existent key "k" of secret "s" (default/s)`,
    );
    assert.deepEqual(files({ configMap: { name: "none", optional: true } }), []);
    const items = [
      { key: "k", path: "k" },
      { key: "a", path: "a" },
    ];
    assert.deepEqual(files({ configMap: { name: "c", optional: true, items } }), ["a 644 1"]);
  });

  it("a server can't make it write out of its volume", () => {
    for (const path of ["../x", "/x", "a/../../x", "..data", "", "a//b", "a\0b", "."])
      assert.match(
        refusalOf(plan({ configMap: { name: "c", items: [{ key: "a", path }] } })),
        /is no path of a file/,
        path,
      );
    const clash = [
      { key: "a", path: "x" },
      { key: "b", path: "x/y" },
    ];
    assert.match(refusalOf(plan({ configMap: { name: "c", items: clash } })), /both a file and a folder/);
  });

  it("empty folders, parts of the machine, and kinds that are not known", () => {
    const folder = { kind: "folder", name: "v", group: undefined };
    assert.deepEqual(plan({ emptyDir: {} }), { ...folder, medium: "disk", sizeLimitBytes: undefined });
    assert.deepEqual(plan({}), { ...folder, medium: "disk", sizeLimitBytes: undefined });
    assert.deepEqual(plan({ emptyDir: { medium: "Memory", sizeLimit: "1Mi" } }, 7), {
      ...folder,
      medium: "memory",
      sizeLimitBytes: 2 ** 20,
      group: 7,
    });
    assert.deepEqual(plan({ hostPath: { path: "/srv", type: "Directory" } }), {
      kind: "host",
      name: "v",
      path: "/srv",
      type: "Directory",
    });
    assert.match(refusalOf(plan({ nfs: { server: "s", path: "/" } })), /no volumes of the kind nfs/);
    assert.match(refusalOf(plan({ constructor: {} })), /no volumes of the kind constructor/);
  });
});
