import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Harness } from "./harness.js";

const deployment = (change: (lines: string[]) => string[]): string =>
  change([
    "apiVersion: apps/v1",
    "kind: Deployment",
    "metadata:",
    "  name: bad",
    "spec:",
    "  replicas: 2",
    "  selector:",
    "    matchLabels:",
    "      app: bad",
    "  template:",
    "    metadata:",
    "      labels:",
    "        app: bad",
    "    spec:",
    "      containers:",
    "        - name: one",
    "          image: none/such:1",
  ]).join("\n");

const good = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: good\n";

const cases: readonly { readonly title: string; readonly text: string; readonly places: readonly RegExp[] }[] = [
  {
    title: "an unknown field, with the nearest known name",
    text: deployment((lines) => lines.map((line) => line.replace("replicas", "replicsa"))),
    places: [/bad\.yaml:6:3/, /spec\.replicsa/, /replicas/],
  },
  {
    title: "a wrong type",
    text: deployment((lines) => lines.map((line) => line.replace("replicas: 2", "replicas: two"))),
    places: [/bad\.yaml:6:3/, /spec\.replicas/, /integer|number/],
  },
  {
    title: "a container name that stands twice",
    text: deployment((lines) => [...lines, "        - name: one", "          image: none/such:2"]),
    places: [/bad\.yaml:18:/, /spec\.template\.spec\.containers\[1\]\.name/, /one/],
  },
  {
    title: "an object that stands twice",
    text: `${good}---\n${good}`,
    places: [/bad\.yaml:9:3/, /metadata\.name/, /already/],
  },
  {
    title: "a selector that does not match the template",
    text: deployment((lines) => lines.map((line) => line.replace("        app: bad", "        app: other"))),
    places: [/bad\.yaml:\d+:\d+/, /spec\.template\.metadata\.labels|spec\.selector/, /selector/],
  },
  {
    title: "broken YAML",
    text: "apiVersion: v1\nkind: [\n",
    places: [/bad\.yaml:\d+:\d+/],
  },
  {
    title: "a fault in the last of several objects, before the first is made",
    text: `${good}---\n${deployment((lines) => lines.map((line) => line.replace("image:", "imag:")))}`,
    places: [/bad\.yaml:22:\d+/, /spec\.template\.spec\.containers\[0\]\.imag/],
  },
];

describe("manifests with faults", () => {
  let harness: Harness;
  const folder = mkdtempSync(join(tmpdir(), "ikada-bad-"));

  before(async function () {
    this.timeout(300_000);
    harness = await Harness.start({ servers: 1, agents: 0, runtime: "fake" });
  });

  after(async function () {
    this.timeout(300_000);
    await harness?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const { title, text, places } of cases) {
    it(`are refused with file, line, field and reason: ${title}`, async function () {
      this.timeout(300_000);
      const file = join(folder, "bad.yaml");
      writeFileSync(file, text);
      const revision = async (): Promise<number> => (await harness.client.clusterStatus()).members[0]!.revision;
      const before = await revision();
      const { code, stdout, stderr } = await harness.ikada("apply", "-f", file);
      assert.equal(code, 1, stderr);
      assert.equal(stdout, "");
      for (const place of places) assert.match(stderr, place);
      assert.equal(await revision(), before, "the cluster is unchanged");
    });
  }
});
