import assert from "node:assert/strict";
import * as fc from "fast-check";
import { jsonPatch } from "../../src/api/json-patch.js";
import { IkadaError } from "../../src/base/errors.js";
import { limits } from "../../src/base/limits.js";

/** [what, target, patch, result], most of them the examples of RFC 6902's appendix A. */
const done: readonly (readonly [string, object, readonly object[], unknown])[] = [
  ["adds a member", { foo: "bar" }, [{ op: "add", path: "/baz", value: "qux" }], { foo: "bar", baz: "qux" }],
  [
    "adds an item",
    { foo: ["bar", "baz"] },
    [{ op: "add", path: "/foo/1", value: "qux" }],
    { foo: ["bar", "qux", "baz"] },
  ],
  ["adds at the end", { foo: ["bar"] }, [{ op: "add", path: "/foo/-", value: ["abc"] }], { foo: ["bar", ["abc"]] }],
  ["adds behind the last", { foo: [1] }, [{ op: "add", path: "/foo/1", value: 2 }], { foo: [1, 2] }],
  ["replaces by adding", { foo: 1 }, [{ op: "add", path: "/foo", value: null }], { foo: null }],
  ["removes a member", { baz: "qux", foo: "bar" }, [{ op: "remove", path: "/baz" }], { foo: "bar" }],
  ["removes an item", { foo: ["bar", "qux", "baz"] }, [{ op: "remove", path: "/foo/1" }], { foo: ["bar", "baz"] }],
  ["replaces", { baz: "qux", foo: "bar" }, [{ op: "replace", path: "/baz", value: "boo" }], { baz: "boo", foo: "bar" }],
  ["replaces all", { a: 1 }, [{ op: "replace", path: "", value: { b: 2 } }], { b: 2 }],
  [
    "moves a member",
    { foo: { waldo: "fred" }, qux: {} },
    [{ op: "move", from: "/foo/waldo", path: "/qux/thud" }],
    { foo: {}, qux: { thud: "fred" } },
  ],
  [
    "moves an item",
    { foo: ["all", "grass", "cows", "eat"] },
    [{ op: "move", from: "/foo/1", path: "/foo/3" }],
    { foo: ["all", "cows", "eat", "grass"] },
  ],
  ["moves nowhere", { a: 1 }, [{ op: "move", from: "/a", path: "/a" }], { a: 1 }],
  [
    "copies apart",
    { a: { b: 1 } },
    [
      { op: "copy", from: "/a", path: "/c" },
      { op: "replace", path: "/a/b", value: 2 },
    ],
    { a: { b: 2 }, c: { b: 1 } },
  ],
  [
    "tests",
    { baz: "qux", foo: ["a", 2, "c"] },
    [
      { op: "test", path: "/baz", value: "qux" },
      { op: "test", path: "/foo/1", value: 2 },
    ],
    { baz: "qux", foo: ["a", 2, "c"] },
  ],
  [
    "tests without regard to order",
    { a: { b: 1, c: 2 } },
    [{ op: "test", path: "/a", value: { c: 2, b: 1 } }],
    { a: { b: 1, c: 2 } },
  ],
  [
    "reads ~01 as ~1",
    { "/": 9, "~1": 10 },
    [
      { op: "test", path: "/~01", value: 10 },
      { op: "test", path: "/~1", value: 9 },
    ],
    { "/": 9, "~1": 10 },
  ],
  [
    "ignores other members",
    { foo: "bar" },
    [{ op: "add", path: "/baz", value: "qux", xyz: 123 }],
    { foo: "bar", baz: "qux" },
  ],
  ["knows empty names", { "": { "": 1 } }, [{ op: "replace", path: "//", value: 2 }], { "": { "": 2 } }],
];

const target = { a: { b: [1, 2] }, c: "text", "x/y": 1 };
/** [patch, reason, what the message says, the faulty member] */
const refused: readonly (readonly [unknown, string, RegExp, string?])[] = [
  [{ op: "add" }, "BadRequest", /is a list of operations/],
  [[1], "BadRequest", /^patch\[0\]: is no operation/, "patch[0]"],
  [
    [{ op: "test", path: "/c", value: "text" }, null],
    "BadRequest",
    /^patch\[1\]: is no operation, but null/,
    "patch[1]",
  ],
  [[{ op: "spam", path: "" }], "BadRequest", /op is none of/, "patch[0].op"],
  [[{ path: "" }], "BadRequest", /op is none of/, "patch[0].op"],
  [[{ op: "add", path: "/z" }], "BadRequest", /needs a value/, "patch[0].value"],
  [[{ op: "remove" }], "BadRequest", /needs a path/, "patch[0].path"],
  [[{ op: "move", path: "/z" }], "BadRequest", /needs a from/, "patch[0].from"],
  [[{ op: "remove", path: "c" }], "BadRequest", /begins with no \//, "patch[0].path"],
  [[{ op: "remove", path: "/x~2y" }], "BadRequest", /neither ~0 nor ~1/, "patch[0].path"],
  [[{ op: "add", path: "/__proto__/x", value: 1 }], "BadRequest", /may not name __proto__/, "patch[0].path"],
  [
    [{ op: "remove", path: "/nowhere" }],
    "Invalid",
    /^patch\[0\] \(remove \/nowhere\): there is no "nowhere"/,
    "patch[0].path",
  ],
  [[{ op: "replace", path: "/a/z", value: 1 }], "Invalid", /there is no "z"/, "patch[0].path"],
  [[{ op: "add", path: "/z/y", value: 1 }], "Invalid", /there is no "z"/, "patch[0].path"],
  [[{ op: "add", path: "/c/y", value: 1 }], "Invalid", /"c" holds neither fields nor items/, "patch[0].path"],
  [[{ op: "add", path: "/a/b/3", value: 1 }], "Invalid", /index 3 is behind the end/, "patch[0].path"],
  [[{ op: "remove", path: "/a/b/2" }], "Invalid", /index 2 is behind the end/, "patch[0].path"],
  [[{ op: "remove", path: "/a/b/-" }], "Invalid", /behind the last item/, "patch[0].path"],
  [[{ op: "remove", path: "/a/b/01" }], "Invalid", /"01" is no index/, "patch[0].path"],
  [[{ op: "remove", path: "/a/b/length" }], "Invalid", /no index/, "patch[0].path"],
  [[{ op: "copy", from: "/toString", path: "/z" }], "Invalid", /there is no "toString"/, "patch[0].from"],
  [[{ op: "move", from: "/a", path: "/a/b/0" }], "Invalid", /into itself/, "patch[0].from"],
  [[{ op: "test", path: "/a/b", value: [1] }], "Conflict", /present value is another one/, "patch[0].value"],
];

describe("JSON patch", () => {
  for (const [what, before, patch, after] of done)
    it(what, () => {
      const was = structuredClone(before);
      assert.deepEqual(jsonPatch(before, patch), after);
      assert.deepEqual(before, was, "the target stays as it is");
    });

  it("refuses what is wrong, naming operation and path, and does nothing of it", () => {
    for (const [patch, reason, message, field] of refused) {
      const was = structuredClone(target);
      assert.throws(
        () => jsonPatch(target, patch),
        (error: IkadaError) => {
          assert.equal(error.reason, reason, error.message);
          assert.match(error.message, message);
          assert.equal(error.details.faults?.[0]?.field, field);
          return true;
        },
      );
      assert.deepEqual(target, was);
    }
  });

  it("bounds operations, growth by copies and depth", () => {
    const many = Array.from({ length: limits.patchOperationsMax + 1 }, () => ({
      op: "test",
      path: "/c",
      value: "text",
    }));
    assert.throws(() => jsonPatch(target, many), { reason: "TooLarge" });
    assert.deepEqual(jsonPatch(target, many.slice(1)), target);
    const doubling = Array.from({ length: 30 }, () => ({ op: "copy", from: "/list", path: "/list/-" }));
    assert.throws(
      () => jsonPatch({ list: ["x".repeat(1000)] }, doubling),
      (error: IkadaError) => ["TooLarge", "Invalid"].includes(error.reason),
    );
    const wide = Array.from({ length: 40 }, () => ({ op: "copy", from: "/text", path: "/list/-" }));
    assert.throws(() => jsonPatch({ text: "x".repeat(30_000), list: [] }, wide), { reason: "TooLarge" });
    const deeper = Array.from({ length: 100 }, (_, at) => ({ op: "add", path: "/a".repeat(at + 1), value: {} }));
    assert.throws(() => jsonPatch({}, deeper), /nested deeper than 64/);
  });

  it("changes nothing when an addition is removed again, and moves as it would remove and add", () => {
    const value = fc.jsonValue({ maxDepth: 2 });
    const name = fc.string().filter((text) => text !== "__proto__");
    const escaped = (text: string): string => text.replaceAll("~", "~0").replaceAll("/", "~1");
    fc.assert(
      fc.property(fc.dictionary(name, value, { maxKeys: 4 }), name, name, value, (members, from, path, added) => {
        const object = { ...members };
        delete object[from];
        const add = { op: "add", path: `/${escaped(from)}`, value: added };
        const remove = { op: "remove", path: `/${escaped(from)}` };
        assert.deepEqual(jsonPatch(object, [add, remove]), object);
        const test = { op: "test", path: `/${escaped(path)}`, value: added };
        const moved = jsonPatch(object, [add, { op: "move", from: add.path, path: test.path }, test]);
        assert.deepEqual(moved, jsonPatch(object, [add, remove, { ...add, path: test.path }]));
        const at = Object.values(members).length;
        const list = { list: Object.values(members) };
        const insert = { op: "add", path: `/list/${at}`, value: added };
        assert.deepEqual(jsonPatch(list, [insert]), { list: [...list.list, added] });
      }),
    );
  });
});
