import assert from "node:assert/strict";
import * as fc from "fast-check";
import { formatTemplate, valuesAt } from "../../cli/jsonpath/evaluate.js";
import { parsePath, parseTemplate } from "../../cli/jsonpath/parse.js";
import { IkadaError } from "../../src/base/errors.js";

const data = {
  kind: "List",
  items: [
    {
      kind: "Node",
      metadata: { name: "n1", labels: { "kubernetes.io/hostname": "h1", tier: "a b" } },
      status: {
        capacity: { cpu: "4" },
        ready: true,
        load: 0.5,
        conditions: [
          { type: "Memory", status: "False" },
          { type: "Ready", status: "True" },
        ],
      },
    },
    {
      kind: "Node",
      metadata: { name: "n2", labels: { "kubernetes.io/hostname": "h2" } },
      status: { capacity: { cpu: "8" }, ready: false, load: 2, gone: null, conditions: [] },
    },
  ],
  users: [
    { name: "myself", user: {}, age: 20 },
    { name: "e2e", user: { username: "admin", password: "secret" }, age: 30 },
  ],
  numbers: [0, 1, 2, 3, 4],
  empty: [],
  "": "nameless",
};

const format = (template: string) => formatTemplate(parseTemplate(template), data);

/** Template and text; those of kubectl's documentation are among them. */
const prints: readonly (readonly [template: string, text: string])[] = [
  ["", ""],
  ["plain text", "plain text"],
  ["kind is {.kind}", "kind is List"],
  ["kind is {@.kind} {$.kind}", "kind is List List"],
  ["{ .kind }", "List"],
  ["{['kind']}", "List"],
  ['{["kind"]}', "List"],
  ["{.nothing}{.kind.nothing}{.nothing[0].name}", ""],
  ["{.users[0]}", '{"name":"myself","user":{},"age":20}'],
  ["{.users[*].name}", "myself e2e"],
  ["{.users.*.name}", "myself e2e"],
  ["{.items[*].status.*.cpu}", "4 8"],
  ["{.numbers[0]} {.numbers[-1]} {.numbers[4]}", "0 4 4"],
  ["{.numbers[1:3]}", "1 2"],
  ["{.numbers[:2]}|{.numbers[3:]}|{.numbers[:]}|{.numbers[*]}", "0 1|3 4|0 1 2 3 4|0 1 2 3 4"],
  ["{.numbers[-2:]}|{.numbers[:-3]}|{.numbers[0:-1]}|{.numbers[-3:-1]}", "3 4|0 1|0 1 2 3|2 3"],
  ["{.numbers[::2]}|{.numbers[1::3]}|{.numbers[0:4:2]}", "0 2 4|1 4|0 2"],
  ["{.numbers[2:2]}|{.empty[0:0]}|{.empty[:]}|{.empty[*]}", "|||"],
  ["{.numbers[0,2]}|{.numbers[ 0 , -1 ]}|{.numbers[0,3:]}", "0 2|0 4|0 3 4"],
  ["{.items[*]['metadata.name', 'status.capacity']}", 'n1 {"cpu":"4"} n2 {"cpu":"8"}'],
  ["{.items[*].metadata.labels.kubernetes\\.io/hostname}", "h1 h2"],
  ["{.items[0].metadata.labels['kubernetes\\.io/hostname']}", "h1"],
  ["{.items[0].metadata.labels.tier}", "a b"],
  ['{.users[?(@.name=="e2e")].user.password}', "secret"],
  ["{.users[?(@.name=='e2e')].user.password}", "secret"],
  ['{.users[?( @.name != "e2e" )].name}', "myself"],
  ["{.users[?(@.age > 20)].name}|{.users[?(@.age>=20)].name}", "e2e|myself e2e"],
  ["{.users[?(@.age<3e1)].name}|{.users[?(@.age<=30)].name}", "myself|myself e2e"],
  ['{.users[?(@.name>"f")].name}', "myself"],
  ["{.users[?(@.user.username)].name}", "e2e"],
  ["{.users[?(.user.username)].name}", "e2e"],
  ["{.items[?(@.status.ready==true)].metadata.name}", "n1"],
  ["{.items[?(@.status.ready==false)].metadata.name}", "n2"],
  ["{.items[?(@.status.gone==null)].metadata.name}", "n2"],
  ["{.items[?(@.metadata.name==@.metadata.name)].metadata.name}", "n1 n2"],
  ['{.items[?(@.metadata.labels.kubernetes\\.io/hostname=="h2")].metadata.name}', "n2"],
  ['{.items[?(@.metadata.labels["kubernetes\\.io/hostname"]=="h2")].metadata.name}', "n2"],
  ['{.items[*].status.conditions[?(@.type=="Ready")].status}', "True"],
  ['{.items[?(@.status.conditions[?(@.type=="Ready")].status=="True")].metadata.name}', "n1"],
  ["{.numbers[?(@>2)]}", "3 4"],
  ['{.users[?(@.name=="a)]b")].name}', ""],
  ["{.users[?(@.age>10)][?(@.age<25)].name}", ""],
  ["{..name}", "n1 n2 myself e2e"],
  ["{.items[*]..cpu}", "4 8"],
  ["{..conditions[*].type}", "Memory Ready"],
  ["{..[?(@.type)].type}", "Memory Ready"],
  ['{range .items[*]}{.metadata.name}{"\\t"}{.status.capacity.cpu}{"\\n"}{end}', "n1\t4\nn2\t8\n"],
  ["{range .items[*]}[{.metadata.name}, {.status.capacity}] {end}", '[n1, {"cpu":"4"}] [n2, {"cpu":"8"}] '],
  ["{range .items[*]}{.metadata.name}:{range .status.conditions[*]}{.type},{end};{end}.", "n1:Memory,Ready,;n2:;."],
  ["{range .numbers[0:2]}{@}{'-'}{end}", "0-1-"],
  ["{.items[*].status.load} {.items[*].status.gone} {.items[*].status.ready}", "0.5 2 null true false"],
  ["{'\\x41\\u00e4\\\\\\''}", "Aä\\'"],
  ["{.items[0].metadata.labels}", '{"kubernetes.io/hostname":"h1","tier":"a b"}'],
];

const broken: readonly (readonly [template: string, place: number, message: RegExp])[] = [
  ["{.kind", 1, /brace is not closed/],
  ["a {.kind", 3, /brace is not closed/],
  ["{kind}", 2, /a path begins with a dot: \{\.kind\}/],
  ["{.items[0}", 10, /"}" is not expected here/],
  ["{.items[0", 8, /bracket is not closed/],
  ["{.items[]}", 9, /is expected in brackets/],
  ["{.items[x]}", 9, /is expected in brackets/],
  ["{.items[1.5]}", 10, /"\." is not expected/],
  ["{.items[::0]}", 9, /a step must be above 0/],
  ["{.items[::-1]}", 9, /a step must be above 0/],
  ["{.items['a]}", 9, /quote is not closed/],
  ['{"a}', 2, /quote is not closed/],
  ["{.items[?(@.a==1)}", 18, /\] is expected/],
  ["{.items[?(@.a==1", 8, /filter is not closed/],
  ["{.items[?(@.a=1)]}", 14, /write ==/],
  ["{.items[?(@.a==)]}", 16, /a path .* is expected/],
  ["{.items[?()]}", 11, /a path .* is expected/],
  ["{.items[?(@.a==1 && @.b==2)]}", 18, /one comparison/],
  ["{.items[?(name==1)]}", 11, /a path .* is expected/],
  ["{..}", 4, /name of a field/],
  ["{.a..}", 6, /name of a field/],
  ["{.a, .b}", 4, /"," is not expected/],
  ["{.a .b}", 5, /"\." is not expected/],
  ["{end}", 2, /no range that \{end\} could end/],
  ["{range .items[*]}{.a}", 1, /no \{end\}/],
  ["{range}{end}", 7, /a path is expected after range/],
  ["{frob .a}", 2, /no command "frob"/],
  ["{'\\xz'}", 4, /2 hexadecimal digits/],
];

describe("JSONPath", () => {
  for (const [template, text] of prints)
    it(template === "" ? "(empty)" : template, () => assert.equal(format(template), text));

  for (const [template, place, message] of broken) {
    it(`refuses ${template} where the mistake is`, () => {
      assert.throws(
        () => parseTemplate(template),
        (error) => {
          assert.ok(error instanceof IkadaError && error.reason === "BadRequest", String(error));
          assert.match(error.message, message);
          assert.match(error.message, new RegExp(`at character ${place}:`));
          return true;
        },
      );
    });
  }

  it("the hint shows the line with a mark under the place", () => {
    assert.throws(
      () => parseTemplate("first\nkind {.a[?(@.b=1)]} more"),
      (error) => error instanceof IkadaError && error.details.hint === `kind {.a[?(@.b=1)]} more\n  ${" ".repeat(14)}^`,
    );
  });

  it("what the values do not allow is refused with the place in the template", () => {
    const refused: readonly (readonly [string, string, RegExp])[] = [
      ["{.numbers[5]}", "NotFound", /character 10: array index out of bounds: index 5, length 5/],
      ["{.numbers[-6]}", "NotFound", /index -6, length 5/],
      ["{.empty[0]}", "NotFound", /index 0, length 0/],
      ["{.numbers[3:9]}", "NotFound", /index 9, length 5/],
      ["{.kind[0]}", "BadRequest", /character 7: a number in brackets needs a list, not "List"/],
      ["{.items[0].metadata[0]}", "BadRequest", /needs a list, not an object/],
      ['{.users[?(@.age>"x")]}', "BadRequest", /20 and "x" have no order/],
      ["{.items[?(@.status.conditions[*].type==1)]}", "BadRequest", /only one value can be compared/],
    ];
    for (const [template, reason, message] of refused) {
      assert.throws(
        () => format(template),
        (error) => error instanceof IkadaError && error.reason === reason && message.test(error.message),
        template,
      );
    }
  });

  it("paths of columns and conditions are written with braces, a dot, or neither", () => {
    for (const path of ["{.users[*].name}", ".users[*].name", "users[*].name", "{users[*].name}", " $.users[*].name "])
      assert.deepEqual(valuesAt(parsePath(path), data), ["myself", "e2e"], path);
    assert.deepEqual(valuesAt(parsePath("."), data), [data]);
    assert.throws(() => parsePath("{.a} {.b}"), /character 6: "\{" is not expected here/);
    assert.throws(() => parsePath("{.a"), /character 1: this brace is not closed/);
  });

  it("inherited properties are no fields", () => {
    assert.equal(format("{.constructor}{.items.length}{.kind.length}{.__proto__}{.toString}"), "");
  });

  it("values are made harmless for a terminal, the template's own text is not touched", () => {
    const text = formatTemplate(parseTemplate("{'\\x1b[1m'}{.a}"), { a: "\u001b[2J" }, (value) =>
      value.replaceAll("\u001b", "ESC"),
    );
    assert.equal(text, "\u001b[1mESC[2J");
  });

  it("is bounded in depth and work", () => {
    assert.throws(() => parseTemplate("{.a[?(@.b".repeat(100)), /JSONPath/);
    assert.throws(() => parseTemplate("{range .a}".repeat(100)), /nested too deep/);
    let nested: unknown = 1;
    for (let depth = 0; depth < 60; depth += 1) nested = { a: nested, b: [nested] };
    assert.throws(
      () => formatTemplate(parseTemplate("{..a..a..a}"), nested),
      (error) => error instanceof IkadaError && error.reason === "TooLarge",
    );
  });

  it("any text is parsed or refused, in both forms", () => {
    const piece = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      "?(",
      ")",
      "@",
      ".",
      "..",
      "*",
      "'",
      '"',
      "\\",
      ",",
      ":",
      "range ",
      "end",
      "a",
      "1",
      "-",
      "==",
      " ",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const text = pieces.join("");
        for (const parse of [parseTemplate, parsePath]) {
          try {
            parse(text);
          } catch (caught) {
            assert.ok(caught instanceof IkadaError && caught.reason === "BadRequest", `${text}: ${String(caught)}`);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });
});
