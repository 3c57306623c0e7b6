import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseManifest, parseValue, pathOf, readManifests } from "../../cli/manifest.js";
import { atPlace, checkNewObject, placeObject, readObjects } from "../../cli/placed-object.js";
import { IkadaError } from "../../src/base/errors.js";

const parse = (text: string) => parseManifest("a.yaml", new TextEncoder().encode(text));
const names = (objects: ReturnType<typeof parse>) =>
  objects.map(({ value }) => (value["metadata"] as { name: string }).name);

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels:
    app.kubernetes.io/name: web
spec:
  replicas: 2
  selector:
    matchLabels: { app: web }
  template:
    metadata:
      labels: { app: web }
    spec:
      containers:
        - name: main
          image: web:1
          env:
            - name: A
              value: "1"
        - name: side
          image: side:1
`;

describe("manifests", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "ikada-manifest-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  it("several documents, empty ones between them, comments", () => {
    const objects = parse(
      "---\n# nothing\n---\nkind: A\nmetadata: {name: a}\n---\n\n---\nkind: B\nmetadata: {name: b}\n...\n",
    );
    assert.deepEqual(names(objects), ["a", "b"]);
    assert.equal(objects[1]!.locate("metadata.name"), "a.yaml:10:12");
    assert.deepEqual(parse(""), []);
    assert.deepEqual(parse("# only a comment\n"), []);
  });

  it("lists are taken apart, and their items know their lines", () => {
    const objects = parse(`kind: List
apiVersion: v1
items:
  - kind: A
    metadata:
      name: a
  - kind: B
    metadata:
      name: b
`);
    assert.deepEqual(names(objects), ["a", "b"]);
    assert.equal(objects[1]!.locate("metadata.name"), "a.yaml:9:7");
    assert.equal(objects[1]!.locate("spec.missing"), "a.yaml:7:5");
  });

  it("an item of a list that is no object is refused where it stands", () => {
    assert.throws(() => parse("kind: List\nitems:\n  - kind: A\n  - just text\n"), /a\.yaml:4:5: /);
    assert.throws(() => parse("kind: List\nitems: [null]\n"), /a\.yaml:2:9: /);
  });

  it("JSON is read as YAML, with its lines", () => {
    const [object] = parse('{\n  "kind": "A",\n  "metadata": { "name": "a" }\n}\n');
    assert.equal(object!.locate("metadata.name"), "a.yaml:3:17");
  });

  it("fields are found by path: list items by index and name, keys with dots, and what is missing by what is around it", () => {
    const [object] = parse(deployment);
    const at = (field: string) => object!.locate(field).replace("a.yaml:", "");
    assert.equal(at("spec.replicas"), "8:3");
    assert.equal(at("spec.template.spec.containers[1].image"), "22:11");
    assert.equal(at("spec.template.spec.containers[main].image"), "17:11");
    assert.equal(at("spec.template.spec.containers[0].env[0].value"), "20:15");
    assert.equal(at("metadata.labels[app.kubernetes.io/name]"), "6:5");
    assert.equal(at("spec.template.spec.containers[1].command[3]"), "21:11");
    assert.equal(at("spec.template.spec.containers[7].image"), "15:7");
    assert.equal(at("metadata.namespace"), "3:1");
    assert.equal(at(""), "1:1");
  });

  it("pathOf splits at dots and brackets", () => {
    assert.deepEqual(pathOf("spec.containers[0].ports"), ["spec", "containers", "0", "ports"]);
    assert.deepEqual(pathOf("metadata.labels[a.b/c]"), ["metadata", "labels", "a.b/c"]);
    assert.deepEqual(pathOf("data[]"), ["data", ""]);
    assert.deepEqual(pathOf(""), []);
  });

  it("broken YAML names file, line and column", () => {
    assert.throws(() => parse("kind: A\nmetadata:\n  name: [a\n"), /^IkadaError: a\.yaml:\d+:\d+: /);
    assert.throws(() => parse("kind: A\n\tname: a\n"), /a\.yaml:2:1: /);
    assert.throws(
      () => parse("kind: A\nspec: {}\nkind: B\n"),
      /a\.yaml:3:1: the key kind stands twice, first at a\.yaml:1:1/,
    );
    assert.throws(() => parse("kind: A\nspec:\n  x: 1\n  x: 2\n"), /a\.yaml:4:3: the key x stands twice/);
    assert.throws(() => parse("- a\n- b\n"), /a\.yaml:1:1: an object with apiVersion, kind and metadata/);
    assert.throws(() => parse("just text\n"), /a\.yaml:1:1: an object/);
    assert.throws(() => parse("kind: *nothing\n"), /a\.yaml:1:7: there is no anchor &nothing/);
  });

  it("aliases are bounded, honest ones are expanded", () => {
    const [object] = parse("kind: A\nmetadata: &m {name: a}\nspec: *m\n");
    assert.deepEqual(object!.value["spec"], { name: "a" });
    const bomb = ["a: &a [x,x,x,x,x,x,x,x,x]"];
    for (let level = 0; level < 8; level += 1) {
      const [from, to] = [String.fromCodePoint(97 + level), String.fromCodePoint(98 + level)];
      bomb.push(`${to}: &${to} [${Array.from({ length: 9 }, () => `*${from}`).join(",")}]`);
    }
    assert.throws(() => parse(bomb.join("\n")), /a\.yaml:1:1: more than \d+ aliases/);
  });

  it("depth, documents and size are bounded", () => {
    const deep = `kind: A\nspec: ${"[".repeat(100)}${"]".repeat(100)}\n`;
    assert.throws(() => parse(deep), /a\.yaml:2:\d+: nested deeper than 64 levels/);
    const lines = (count: number) => Array.from({ length: count }, (_, at) => `${" ".repeat(at)}a:`).join("\n");
    assert.throws(() => parse(lines(65)), /a\.yaml:65:\d+: nested deeper than 64 levels/);
    assert.throws(() => parse(`kind: A\nspec:\n  ${"- ".repeat(2_000)}x\n`), /a\.yaml:3:\d+: nested deeper/);
    assert.throws(() => parse(`kind: A\nspec:\n  ${"? ".repeat(2_000)}x\n`), /a\.yaml:3:\d+: nested deeper/);
    const honest = `kind: A\nspec:\n${"  - {a: [x]} # {{\n".repeat(200)}  - |\n    ${"[".repeat(100)}\n`;
    assert.equal(parse(honest).length, 1);
    // As JSON is usually written, each bracket is indented as well.
    const json = JSON.stringify({ kind: "A", spec: { a: nestedLists(60) } }, undefined, 2);
    assert.equal(parse(json).length, 1);
    assert.throws(
      () => parse("---\n".repeat(100_000)),
      (error) => error instanceof IkadaError && error.reason === "TooLarge",
    );
    assert.throws(
      () => parse("kind: A\n---\n".repeat(1200)),
      (error) => error instanceof IkadaError && error.reason === "TooLarge",
    );
  });

  // Each of these made the parser abort the process, exhaust its stack, or compute for minutes.
  const hostile: readonly (readonly [title: string, text: () => string, message: RegExp])[] = [
    ["a million open brackets", () => `kind: ${"[".repeat(1_000_000)}`, /a\.yaml:1:\d+: nested deeper than 64 levels/],
    ["a million open braces", () => `kind: ${"{a: ".repeat(250_000)}`, /nested deeper than 64 levels/],
    ["brackets with their ends", () => "[".repeat(100_000) + "]".repeat(100_000), /nested deeper than 64 levels/],
    ["lists in lists", () => "- ".repeat(100_000), /nested deeper than 64 levels/],
    ["keys of keys", () => "? ".repeat(100_000), /nested deeper than 64 levels/],
    [
      "ever more indented maps",
      () => Array.from({ length: 2000 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n"),
      /a\.yaml:\d\d:\d+: nested deeper than 64 levels/,
    ],
    ["an alias in its own anchor", () => "kind: A\nspec: &a [b, {c: *a}]\n", /a\.yaml:2:18: \*a would contain itself/],
    ["a prototype", () => 'kind: A\nmetadata: {"__proto__": {name: x}}\n', /a\.yaml:2:12: there is no field __proto__/],
    ["a list as a key", () => "kind: A\nspec:\n  ? [a]\n  : b\n", /a\.yaml:3:5: a key is a text/],
    ["an alias as a key", () => "kind: &k A\nspec:\n  *k : b\n", /a\.yaml:3:3: a key is a text/],
    [
      "a number and a text that are one key",
      () => "kind: A\ndata:\n  1: a\n  '1': b\n",
      /a\.yaml:4:3: the key 1 stands twice/,
    ],
    [
      "what is no number",
      () => "kind: A\nspec:\n  replicas: .nan\n",
      /a\.yaml:3:13: \.nan is no number that JSON knows/,
    ],
    ["infinity in a list", () => "kind: A\nspec: [1, -.inf]\n", /a\.yaml:2:11: -\.inf is no number/],
    ["too large a file", () => `# ${"x".repeat(17 * 1024 * 1024)}`, /a\.yaml has more than 16777216 bytes/],
  ];
  for (const [title, text, message] of hostile) {
    it(`refused at its place: ${title}`, () => {
      assert.throws(
        () => parse(text()),
        (error) => {
          assert.ok(error instanceof IkadaError, String(error));
          assert.notEqual(error.reason, "Internal");
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }

  it("not refused: brackets in texts, and a hundred thousand keys", function () {
    this.timeout(60_000);
    const [texts] = parse(`kind: A\ndata:\n  a: "${"[".repeat(100_000)}"\n  b: |\n    ${"{[".repeat(50_000)}\n`);
    assert.equal((texts!.value["data"] as { a: string }).a.length, 100_000);
    const keys = Array.from({ length: 100_000 }, (_, index) => `  k${index}: v`).join("\n");
    const [many] = parse(`kind: A\ndata:\n${keys}\n`);
    assert.equal(Object.keys(many!.value["data"] as object).length, 100_000);
    const deep = (levels: number) => `kind: A\nspec: ${"[".repeat(levels)}${"]".repeat(levels)}\n`;
    assert.equal(parse(deep(63)).length, 1);
    assert.throws(() => parse(deep(64)), /nested deeper than 64 levels/);
  });

  it("a merge key of older YAML is a field like any other", () => {
    const [object] = parse("base: &b {x: 1}\nspec: {<<: *b}\n");
    assert.deepEqual(object!.value["spec"], { "<<": { x: 1 } });
  });

  it("one value of any type, for a patch", () => {
    const value = (text: string) => parseValue("p", new TextEncoder().encode(text));
    assert.deepEqual(value('[{"op": "add"}]'), [{ op: "add" }]);
    assert.deepEqual(value("spec: {replicas: 2}"), { spec: { replicas: 2 } });
    assert.equal(value("7"), 7);
    assert.throws(() => value(""), /p: one value is expected, there is none/);
    assert.throws(() => value("a: 1\n---\nb: 2\n"), /there are several/);
    assert.throws(() => value("{a: 1"), /p:1:\d+: /);
  });

  it("devices and pipes without an end are read to the limit only", () => {
    assert.throws(() => readManifests("/dev/zero"), { reason: "TooLarge", message: /\/dev\/zero has more than/ });
  });

  it("folders in name order, subfolders only when asked, other files never", () => {
    const write = (name: string) =>
      writeFileSync(join(folder, name), `kind: A\nmetadata: {name: ${name.replace(/\W/g, "-")}}\n`);
    mkdirSync(join(folder, "sub"));
    for (const name of ["b.yml", "a.json", "c.yaml", "notes.txt", join("sub", "d.yaml")]) write(name);
    assert.deepEqual(names(readManifests(folder)), ["a-json", "b-yml", "c-yaml"]);
    assert.deepEqual(names(readManifests(folder, true)), ["a-json", "b-yml", "c-yaml", "sub-d-yaml"]);
    mkdirSync(join(folder, "empty"));
    assert.throws(() => readManifests(join(folder, "empty")), /no \.yaml, \.yml or \.json file/);
    assert.throws(() => readManifests(join(folder, "missing.yaml")), /cannot read .*missing\.yaml: no such file/);
  });

  it("links to files are read, links to folders are not followed, a link to nothing is an error", () => {
    const links = join(folder, "links");
    mkdirSync(join(links, "sub", "empty"), { recursive: true });
    writeFileSync(join(folder, "linked.yaml"), "kind: A\nmetadata: {name: linked}\n");
    symlinkSync(join(folder, "linked.yaml"), join(links, "l.yaml"));
    symlinkSync(links, join(links, "sub", "round"));
    assert.deepEqual(names(readManifests(links)), ["linked"]);
    assert.deepEqual(names(readManifests(links, true)), ["linked"]);
    symlinkSync(join(folder, "nothing.yaml"), join(links, "lost.yaml"));
    assert.throws(() => readManifests(links), /cannot read .*lost\.yaml: the link leads nowhere/);
  });

  it("the same object twice is refused with both places, over files too", () => {
    const file = (name: string) => {
      writeFileSync(join(folder, "empty", name), deployment);
      return join(folder, "empty", name);
    };
    assert.throws(
      () => readObjects([file("x.yaml"), file("y.yaml")], false, "default"),
      /y\.yaml:4:3: metadata\.name: deployment\.apps\/web stands at .*x\.yaml:4:3 already/,
    );
  });
});

describe("objects of manifests", () => {
  const place = (text: string) => placeObject(parse(text)[0]!, "team");

  it("get the namespace of the run, unless they have one or belong to none", () => {
    assert.equal(place(deployment).object.metadata.namespace, "team");
    assert.equal(place("apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: b}").object.metadata.namespace, "b");
    assert.equal(place("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}").object.metadata.namespace, undefined);
    assert.equal(place(deployment).name, "deployment.apps/web");
  });

  it("what is no object is refused at its line", () => {
    assert.throws(() => place("kind: Pod\nmetadata: {name: a}"), /a\.yaml:1:1: apiVersion: is missing/);
    assert.throws(() => place("apiVersion: v1\nkind: Pod\nmetadata: {}"), /a\.yaml:3:1: metadata\.name: is missing/);
    assert.throws(() => place("apiVersion: v1\nkind: Pod\nmetadata: {name: 5}"), /a\.yaml:3:12: metadata\.name: /);
    assert.throws(
      () => place("apiVersion: v1\nkind: Deployment\nmetadata: {name: a}"),
      (error) =>
        error instanceof IkadaError &&
        error.reason === "UnknownKind" &&
        error.message.startsWith("a.yaml:2:1: kind: ") &&
        error.details.hint!.includes("apps/v1"),
    );
  });

  it("larger than an object may be is refused at its line", () => {
    const large = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: "${"x".repeat(1024 * 1024)}"}\n`;
    assert.throws(() => place(large), {
      reason: "TooLarge",
      message: /a\.yaml:1:1: an object of \d+ bytes; 1048576 is the most/,
    });
  });

  const refusal = (text: string): string => {
    const placed = place(text);
    try {
      checkNewObject(placed);
    } catch (caught) {
      return atPlace(IkadaError.from(caught), placed).message;
    }
    return "";
  };

  it("each fault stands behind the place of its field", () => {
    assert.equal(refusal(deployment), "");
    const faulty = deployment
      .replace("replicas: 2", "replicas: many")
      .replace("image: side:1", "imgae: side:1")
      .replace('value: "1"', "value: [1]");
    const lines = refusal(faulty).split("\n");
    assert.equal(lines[0], "deployment.apps/web is refused");
    const starts = lines.slice(1).map((line) => /^ {2}(\S+) (\S+):/.exec(line)?.slice(1).join(" "));
    assert.deepEqual(starts, [
      "a.yaml:8:3: spec.replicas",
      "a.yaml:20:15: spec.template.spec.containers[0].env[0].value",
      "a.yaml:22:11: spec.template.spec.containers[1].imgae",
    ]);
  });

  it("a selector that does not match, and a label of a key with dots", () => {
    assert.match(
      refusal(deployment.replace("matchLabels: { app: web }", "matchLabels: { app: other }")),
      /a\.yaml:\d+:\d+: spec\./,
    );
    assert.match(
      refusal(deployment.replace("app.kubernetes.io/name: web", 'app.kubernetes.io/name: "no spaces"')),
      /a\.yaml:6:5: metadata\.labels\[app\.kubernetes\.io\/name\]: /,
    );
  });
});

function nestedLists(depth: number): unknown {
  return depth === 0 ? 1 : [nestedLists(depth - 1)];
}
