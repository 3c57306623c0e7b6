import assert from "node:assert/strict";
import { customRow, parseColumns, parseColumnsFile } from "../../cli/custom-columns.js";
import { parseOutputFormat } from "../../cli/output-format.js";
import type { AnyObject } from "../../src/api/object.js";

const pod: AnyObject = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", labels: { "a.b/c": "x", tier: "front" } },
  spec: { containers: [{ image: "one" }, { image: "two" }], nodeName: null },
};

describe("custom columns", () => {
  const row = (text: string) => customRow(parseColumns(text), pod);

  it("values, several values, objects, and what is not there", () => {
    assert.deepEqual(row("NAME:.metadata.name,IMAGES:.spec.containers[*].image"), ["web", "one,two"]);
    assert.deepEqual(row("A:metadata.name,B:{.metadata.name},C: .metadata.name"), ["web", "web", "web"]);
    assert.deepEqual(row("A:.status.phase,B:.spec.nodeName,C:.spec.containers[7].image"), [
      "<none>",
      "<none>",
      "<none>",
    ]);
    assert.deepEqual(row("A:.spec.containers[0]"), ['{"image":"one"}']);
  });

  it("commas and colons in brackets and quotes belong to the path", () => {
    assert.deepEqual(row("A:.spec.containers[0,1].image,B:.metadata.name"), ["one,two", "web"]);
    assert.deepEqual(row("A:.spec.containers[0:1].image"), ["one"]);
    assert.deepEqual(row("A:.metadata.labels['a\\.b/c','tier'],B:.kind"), ["x,front", "Pod"]);
    assert.deepEqual(row('A:.spec.containers[?(@.image=="],")].image,B:.kind'), ["<none>", "Pod"]);
  });

  it("headers are kept as they are written", () => {
    assert.deepEqual(
      parseColumns("Name:.a,MORE WORDS:.b").map(({ header }) => header),
      ["Name", "MORE WORDS"],
    );
  });

  it("columns that make no sense are named", () => {
    assert.throws(() => parseColumns(""), /no columns are given/);
    assert.throws(() => parseColumns("NAME:.a,"), /column 2, "", is not HEADER:PATH/);
    assert.throws(() => parseColumns(":.a"), /column 1, ":.a", is not HEADER:PATH/);
    assert.throws(() => parseColumns("A:"), /column 1, "A:", is not HEADER:PATH/);
    assert.throws(
      () => parseColumns("A:.a,B:.b[?(@.x=1)]"),
      /column 2, B: JSONPath, at character 9: to compare, write ==/,
    );
  });

  it("a file has headers above paths", () => {
    const columns = parseColumnsFile("c.txt", "NAME          IMAGE\nmetadata.name  spec.containers[1].image\n");
    assert.deepEqual(customRow(columns, pod), ["web", "two"]);
    assert.throws(() => parseColumnsFile("c.txt", "NAME\n"), /c\.txt: two lines are expected, .* it has 1/);
    assert.throws(() => parseColumnsFile("c.txt", "A B\n.a\n"), /c\.txt: 2 headers and 1 paths/);
    assert.throws(() => parseColumnsFile("c.txt", "A\n.a[\n"), /c\.txt: column A: JSONPath, at character 3/);
  });

  it("a JSONPath template without braces is a path when it looks like one", () => {
    assert.deepEqual(parseOutputFormat("jsonpath=.metadata.name"), parseOutputFormat("jsonpath={.metadata.name}"));
    assert.deepEqual(parseOutputFormat("jsonpath=text"), {
      type: "jsonpath",
      template: [{ type: "text", text: "text" }],
    });
    assert.throws(() => parseOutputFormat("yaml=x"), /Allowed choices/);
  });
});
