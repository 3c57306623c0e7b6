import assert from "node:assert/strict";
import * as fc from "fast-check";
import {
  formatIndexes,
  hasIndex,
  indexSetOf,
  missingFrom,
  overlapOf,
  parseIndexes,
  sizeOf,
  storedIndexes,
  unionOf,
} from "../../src/api/index-set.js";

describe("index sets", () => {
  const forms: readonly (readonly [text: string, indexes: readonly number[]])[] = [
    ["", []],
    ["0", [0]],
    ["1,3-5,7", [1, 3, 4, 5, 7]],
    ["0,1", [0, 1]],
    ["0-2", [0, 1, 2]],
  ];
  for (const [text, indexes] of forms)
    it(`"${text}" is read and written`, () => {
      const set = parseIndexes(text, 10);
      assert(typeof set !== "string");
      assert.deepEqual(set, indexSetOf(indexes));
      assert.equal(formatIndexes(set), text);
      assert.equal(sizeOf(set), indexes.length);
    });

  const faults: readonly (readonly [text: string, fault: RegExp])[] = [
    ["a", /"a" is neither an index nor a range/],
    ["1,,2", /"" is neither/],
    ["-1", /"-1" is neither/],
    ["3-3", /"3-3" does not go up/],
    ["5-2", /does not go up/],
    ["2,1", /"1" is not above/],
    ["1-3,3", /"3" is not above/],
    ["9,10", /"10" is not below 10/],
  ];
  for (const [text, fault] of faults)
    it(`"${text}" is refused`, () => {
      const found = parseIndexes(text, 10);
      assert.match(typeof found === "string" ? found : "no fault", fault);
    });

  it("what was stored for more completions is cut off, and nonsense left out", () => {
    assert.equal(formatIndexes(storedIndexes("0,3-9,x,12", 6)), "0,3-5");
    assert.equal(formatIndexes(storedIndexes("4,0-2", 6)), "0-2,4");
    assert.deepEqual(storedIndexes(undefined, 6), []);
  });

  it("agree with sets of numbers", () => {
    const numbers = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 30 });
    fc.assert(
      fc.property(numbers, numbers, (left, right) => {
        const [a, b] = [indexSetOf(left), indexSetOf(right)];
        const all = new Set([...left, ...right]);
        assert.deepEqual(unionOf(a, b), indexSetOf(all));
        assert.equal(sizeOf(unionOf(a, b)), all.size);
        assert.equal(overlapOf(a, b), [...new Set(left)].filter((one) => right.includes(one)).length);
        assert.deepEqual(
          [...missingFrom(a, 35)],
          Array.from({ length: 35 }, (_, at) => at).filter((at) => !left.includes(at)),
        );
        for (let at = 0; at <= 41; at++) assert.equal(hasIndex(a, at), left.includes(at));
        assert.deepEqual(parseIndexes(formatIndexes(a), 41), a);
      }),
    );
  });
});
