import assert from "node:assert/strict";
import { expand, resolveEnvironment, type EnvironmentSources } from "../../../node-agent/core/environment.js";
import type { Container } from "../../../src/api/kinds/pod.js";
import { podOf } from "../agent-world.js";

const base64 = (text: string): string => Buffer.from(text).toString("base64");

const sources: EnvironmentSources = {
  pod: podOf("web-1", {}, { namespace: "shop", labels: { app: "web" }, annotations: { "example.org/note": "n" } }),
  podIP: "10.0.0.9",
  hostIP: "192.0.2.1",
  allocatable: { cpu: "4", memory: "8Gi" },
  nodeName: "node-1",
  configMap: (namespace, name) =>
    namespace === "shop" && name === "settings"
      ? { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { color: "red", "with=equals": "x" } }
      : undefined,
  secret: (namespace, name) =>
    namespace === "shop" && name === "login"
      ? { apiVersion: "v1", kind: "Secret", metadata: { name }, data: { user: base64("kai"), word: base64("ŝlosilo") } }
      : undefined,
};

function resolve(container: Partial<Container>): Record<string, string> | string {
  const result = resolveEnvironment({ name: "main", image: "i", ...container }, sources);
  return typeof result === "string" ? result : Object.fromEntries(result.variables);
}

describe("environment of a container", () => {
  const configMapKey = (name: string, key: string, optional = false) => ({
    valueFrom: { configMapKeyRef: { name, key, optional } },
  });
  const secretKey = (name: string, key: string, optional = false) => ({
    valueFrom: { secretKeyRef: { name, key, optional } },
  });
  const field = (fieldPath: string) => ({ valueFrom: { fieldRef: { fieldPath } } });

  const cases: readonly [string, Partial<Container>, Record<string, string> | string][] = [
    ["plain values", { env: [{ name: "A", value: "1" }, { name: "B" }] }, { A: "1", B: "" }],
    ["a key of a ConfigMap", { env: [{ name: "A", ...configMapKey("settings", "color") }] }, { A: "red" }],
    ["a key of a Secret, decoded", { env: [{ name: "A", ...secretKey("login", "word") }] }, { A: "ŝlosilo" }],
    [
      "fields of the Pod",
      {
        env: [
          { name: "NAME", ...field("metadata.name") },
          { name: "NAMESPACE", ...field("metadata.namespace") },
          { name: "UID", ...field("metadata.uid") },
          { name: "NODE", ...field("spec.nodeName") },
          { name: "IP", ...field("status.podIP") },
          { name: "HOST", ...field("status.hostIP") },
          { name: "APP", ...field("metadata.labels['app']") },
          { name: "NOTE", ...field("metadata.annotations['example.org/note']") },
          { name: "NONE", ...field("metadata.labels['none']") },
        ],
      },
      {
        NAME: "web-1",
        NAMESPACE: "shop",
        UID: "uid-web-1",
        NODE: "node-1",
        IP: "10.0.0.9",
        HOST: "192.0.2.1",
        APP: "web",
        NOTE: "n",
        NONE: "",
      },
    ],
    [
      "all of an object with a prefix, but no names that can't be variables",
      { envFrom: [{ prefix: "S_", configMapRef: { name: "settings" } }] },
      { S_color: "red" },
    ],
    [
      "env wins over envFrom, later envFrom over earlier",
      {
        envFrom: [{ configMapRef: { name: "settings" } }, { secretRef: { name: "login" } }],
        env: [{ name: "color", value: "blue" }],
      },
      { user: "kai", word: "ŝlosilo", color: "blue" },
    ],
    [
      "expansion of earlier variables only",
      {
        env: [
          { name: "A", value: "1" },
          { name: "B", value: "$(A)-$(C)-$$(A)" },
          { name: "C", value: "$(B)" },
        ],
      },
      { A: "1", B: "1-$(C)-$(A)", C: "1-$(C)-$(A)" },
    ],
    [
      "optional references that are missing",
      {
        env: [
          { name: "A", ...configMapKey("none", "k", true) },
          { name: "B", ...secretKey("login", "none", true) },
        ],
        envFrom: [{ secretRef: { name: "none", optional: true } }],
      },
      {},
    ],
    ["a missing ConfigMap", { env: [{ name: "A", ...configMapKey("none", "k") }] }, 'configmap "none" not found'],
    ["a missing Secret", { envFrom: [{ secretRef: { name: "none" } }] }, 'secret "none" not found'],
    [
      "a missing key",
      { env: [{ name: "A", ...secretKey("login", "none") }] },
      "couldn't find key none in Secret shop/login",
    ],
  ];
  for (const [name, container, expected] of cases) {
    it(name, () => assert.deepEqual(resolve(container), expected));
  }

  it("expands command and args", () => {
    const env = [{ name: "PORT", value: "80" }];
    const container = {
      name: "main",
      image: "i",
      command: ["serve", "-p", "$(PORT)"],
      args: ["$$", "$(PORT", "$X"],
      env,
    };
    const result = resolveEnvironment(container, sources);
    assert.ok(typeof result !== "string");
    assert.deepEqual(
      [result.command, result.args],
      [
        ["serve", "-p", "80"],
        ["$", "$(PORT", "$X"],
      ],
    );
  });

  it("expands as Kubernetes' own table of cases says", () => {
    const variables = new Map([
      ["VAR_A", "A"],
      ["VAR_B", "B"],
      ["VAR_REF", "$(VAR_A)"],
      ["VAR_EMPTY", ""],
    ]);
    const cases: readonly [string, string][] = [
      ["$(VAR_A)", "A"],
      ["___$(VAR_B)___", "___B___"],
      ["$(VAR_REF)", "$(VAR_A)"],
      ["f000-$$VAR_A", "f000-$VAR_A"],
      ["$$(VAR_A)_$(VAR_A)", "$(VAR_A)_A"],
      ["$$$(VAR_A)", "$A"],
      ["foo$(VAR_EMPTY)bar", "foobar"],
      ["$(NOPE)", "$(NOPE)"],
      ["$VAR_A", "$VAR_A"],
      ["$", "$"],
      ["$(", "$("],
    ];
    for (const [text, expected] of cases) assert.equal(expand(text, variables), expected, text);
  });
});
