import assert from "node:assert/strict";
import { quoted } from "./go-text.js";
import { parseHead, parseScript, rewriteScript, ScriptSyntaxError, type Directive } from "./script.js";

function outputs(text: string, output: (directive: Directive) => string): string {
  return rewriteScript(text, new Map(parseScript(text).map((directive) => [directive, output(directive)])));
}

describe("a script", () => {
  it("has directives with arguments, input and expected output; comments and blank lines are skipped", () => {
    const text = "# a comment\n\npropose-conf-change 1 v1=true\nv4 r1\n----\nok\n\n  # another\nstatus 1\n----\na\nb\n";
    const [first, second] = parseScript(text);
    assert.deepEqual(
      [first!.line, first!.command, first!.input, first!.expected],
      [3, "propose-conf-change", "v4 r1", "ok\n"],
    );
    assert.deepEqual(first!.args, [
      { key: "1", values: [] },
      { key: "v1", values: ["true"] },
    ]);
    assert.deepEqual([second!.line, second!.expected, second!.input], [9, "a\nb\n", ""]);
  });

  it("splits lists by commas or blanks, and takes a continued line as one", () => {
    assert.deepEqual(parseHead("add 3 voters=(1, 2,3) learners=(4 5) empty=()", 1), [
      { key: "add", values: [] },
      { key: "3", values: [] },
      { key: "voters", values: ["1", "2", "3"] },
      { key: "learners", values: ["4", "5"] },
      { key: "empty", values: [] },
    ]);
    const [directive] = parseScript("committed cfg=(1) \\\n  idx=(5)\n----\n5\n");
    assert.deepEqual(
      directive!.args.map(({ key }) => key),
      ["cfg", "idx"],
    );
  });

  it("takes output with blank lines between doubled separators", () => {
    const text = "a\n----\n----\none\n\ntwo\n----\n----\n\nb\n----\nok\n";
    assert.deepEqual(
      parseScript(text).map(({ expected }) => expected),
      ["one\n\ntwo\n", "ok\n"],
    );
  });

  it("says in which line it can't be read", () => {
    const syntax = (line: number) => (error: unknown) => error instanceof ScriptSyntaxError && error.line === line;
    assert.throws(() => parseScript("\nstatus 1\n"), syntax(2));
    assert.throws(() => parseScript("add voters=(1,2\n----\nok\n"), syntax(1));
    assert.throws(() => parseScript("a\n----\n----\nx\n"), syntax(3));
  });

  it("is rewritten in its outputs alone", () => {
    const text = "# kept\na 1\ninput\n----\nold\nold\n\nb\n----\n\nc\n----\n";
    assert.equal(
      outputs(text, ({ command }) => `new ${command}\n`),
      "# kept\na 1\ninput\n----\nnew a\n\nb\n----\nnew b\n\nc\n----\nnew c\n",
    );
    const blank = outputs("a\n----\nx\n", () => "one\n\ntwo\n");
    assert.equal(blank, "a\n----\n----\none\n\ntwo\n----\n----\n");
    assert.equal(parseScript(blank)[0]!.expected, "one\n\ntwo\n");
  });
});

describe("quoted data", () => {
  it("is written as Go writes it", () => {
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
    assert.equal(quoted(bytes('a "b" \\ ü\n\t')), '"a \\"b\\" \\\\ ü\\n\\t"');
    assert.equal(quoted(new Uint8Array([0x00, 0xff, 0x41])), '"\\x00\\xffA"');
    assert.equal(quoted(bytes("\u200b")), '"\\u200b"');
  });
});
