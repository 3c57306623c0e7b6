import assert from "node:assert/strict";
import * as fc from "fast-check";
import { parse } from "yaml";
import { parseCount, parseDays, parseSpan } from "../../cli/flags.js";
import { formatJson, formatTable, formatYaml, harmless } from "../../cli/output.js";
import { parseTargets, shortName } from "../../cli/session.js";
import { kindNamed, kinds } from "../../src/api/registry.js";
import { IkadaError } from "../../src/base/errors.js";

describe("output", () => {
  it("control sequences of a terminal are shown, not obeyed", () => {
    assert.equal(harmless("\u001b[31mred\u001b[0m"), "\\x1b[31mred\\x1b[0m");
    assert.equal(harmless("over\rwritten \u0007 \u009b2J"), "over\\x0dwritten \\x07 \\x9b2J");
    assert.equal(harmless("abc\u202etxt.exe"), "abc\\u202etxt.exe");
    assert.equal(harmless("tabs\tand\nlines, ümläute, 筏 🛶"), "tabs\tand\nlines, ümläute, 筏 🛶");
  });

  it("no text leaves a control character in", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        // eslint-disable-next-line no-control-regex -- these characters are what it is about
        assert.doesNotMatch(harmless(text), /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
      }),
    );
  });

  it("JSON is harmless and still the same value", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const json = formatJson({ text });
        assert.equal(harmless(json), json);
        assert.deepEqual(JSON.parse(json), { text });
      }),
    );
  });

  it("YAML is harmless and still the same value, in keys, lists and blocks of lines too", async () => {
    const check = async (text: string): Promise<void> => {
      const value = { text, [`key ${text}`]: [text, { lines: `first\n${text}\nlast\n` }] };
      const yaml = await formatYaml(value);
      assert.equal(harmless(yaml), yaml);
      assert.deepEqual(parse(yaml), value);
    };
    for (const text of ["\u001b[2J", "over\rwritten", "abc\u202etxt.exe", "\u009b2J", "\u007f", "# \u202e: x", "- a"])
      await check(text);
    await fc.assert(fc.asyncProperty(fc.string({ unit: "grapheme" }), check));
    assert.equal(await formatYaml({ a: "plain", b: ["x: y"] }), 'a: plain\nb:\n  - "x: y"\n');
  });

  it("columns are aligned, the last one is not padded", () => {
    const rows = [
      ["NAME", "READY", "AGE"],
      ["web-1", "1/1", "2m"],
      ["a", "", ""],
    ];
    assert.equal(formatTable(rows), "NAME    READY   AGE\nweb-1   1/1     2m\na\n");
    assert.equal(formatTable([]), "");
  });

  it("rows that come later line up with the table before", () => {
    const widths: number[] = [];
    formatTable(
      [
        ["NAME", "AGE"],
        ["a-long-name", "1s"],
      ],
      widths,
    );
    assert.equal(formatTable([["web", "2s"]], widths), "web           2s\n");
    formatTable([["an-even-longer-name", "1s"]], widths);
    assert.equal(formatTable([["web", "2s"]], widths), `${"web".padEnd(22)}2s\n`);
  });
});

describe("words of the command line", () => {
  const shown = (...words: string[]) =>
    parseTargets(words).map(({ kind, name }) => `${kind.plural}${name === undefined ? "" : `/${name}`}`);

  it("kinds and names in kubectl's ways", () => {
    assert.deepEqual(shown("pods"), ["pods"]);
    assert.deepEqual(shown("po", "a", "b"), ["pods/a", "pods/b"]);
    assert.deepEqual(shown("pod/a", "deploy/b"), ["pods/a", "deployments/b"]);
    assert.deepEqual(shown("pods,deployments.apps"), ["pods", "deployments"]);
    assert.deepEqual(shown("Pod,rs", "a"), ["pods/a", "replicasets/a"]);
  });

  it("all is a category, alone or among others, and nothing is named twice", () => {
    const all = kinds.filter((kind) => kind.categories.includes("all")).map(({ plural }) => plural);
    assert.ok(all.includes("pods") && !all.includes("secrets"));
    assert.deepEqual(shown("all"), all);
    assert.deepEqual(shown("all,cm,pods"), [...all, "configmaps"]);
  });

  it("what makes no sense is refused with what would", () => {
    const reason = (...words: string[]) => {
      try {
        parseTargets(words);
      } catch (caught) {
        return IkadaError.from(caught).reason;
      }
      return undefined;
    };
    assert.equal(reason(), "BadRequest");
    assert.equal(reason("gizmos"), "UnknownKind");
    assert.equal(reason("pod/a", "b"), "BadRequest");
    assert.equal(reason("pod/a/b"), "BadRequest");
    assert.equal(reason("pod/"), "BadRequest");
    assert.equal(reason("/a"), "BadRequest");
  });

  it("names of what was done", () => {
    assert.equal(shortName(kindNamed("deploy"), "web"), "deployment.apps/web");
    assert.equal(shortName(kindNamed("po"), "web"), "pod/web");
  });

  it("time spans, counts and days", () => {
    assert.deepEqual(
      ["300ms", "5s", "2m", "1h", "7", "0.5s"].map(parseSpan),
      [300, 5000, 120_000, 3_600_000, 7000, 500],
    );
    for (const text of ["", "-1s", "1d", "s", "1 s", "1e3", "Infinity"]) assert.throws(() => parseSpan(text), text);
    assert.deepEqual(["0", "12"].map(parseCount), [0, 12]);
    for (const text of ["", "-1", "1.5", "0x10", "many"]) assert.throws(() => parseCount(text), text);
    assert.equal(parseDays("0.5"), 0.5);
    for (const text of ["0", "-1", "", "1e9"]) assert.throws(() => parseDays(text), text);
  });
});
