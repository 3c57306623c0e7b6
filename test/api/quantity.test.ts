import assert from "node:assert/strict";
import * as fc from "fast-check";
import { canonicalQuantity, compareQuantities, milliOf, parseQuantity, unitsOf } from "../../src/api/quantity.js";

describe("quantity", () => {
  const canonical: readonly (readonly [string, string])[] = [
    ["0", "0"],
    ["0Mi", "0"],
    ["-0", "0"],
    ["0.5", "500m"],
    [".5", "500m"],
    ["5.", "5"],
    ["+1", "1"],
    ["-1.5", "-1500m"],
    ["1000m", "1"],
    ["1000", "1k"],
    ["1500", "1500"],
    ["100000k", "100M"],
    ["1024Mi", "1Gi"],
    ["1536Mi", "1536Mi"],
    ["1.5Gi", "1536Mi"],
    ["0.5Mi", "512Ki"],
    ["1000Ki", "1000Ki"],
    ["512", "512"],
    ["0.5Ki", "512"],
    ["0.3Ki", "307200m"],
    ["1.1Ki", "1126400m"],
    ["1e3", "1e3"],
    ["1500e0", "1500"],
    ["12E6", "12e6"],
    ["2E", "2E"],
    ["0.1n", "1n"],
    ["1.0000000001", "1000000001n"],
    ["9223372036854775808", "9223372036854775807"],
    ["1e40", "9223372036854775807"],
    ["1e-40", "1e-9"],
  ];
  for (const [given, expected] of canonical)
    it(`writes ${given} as ${expected}`, () => assert.equal(canonicalQuantity(given), expected));

  for (const wrong of ["", ".", "-", "1.2.3", "1 Gi", "Gi", "1KI", "1mi", "0x10", "1e", "1ee3", "NaN", "1".repeat(65)])
    it(`refuses ${JSON.stringify(wrong.slice(0, 20))}`, () => assert.equal(parseQuantity(wrong), undefined));

  const suffix = fc.constantFrom("n", "u", "m", "", "k", "M", "G", "Ki", "Mi", "Gi", "e3", "e-3");
  const quantity = fc.tuple(fc.integer({ min: -1_000_000, max: 1_000_000 }), suffix).map(([n, s]) => `${n}${s}`);

  it("keeps the value and is stable in canonical form", () => {
    fc.assert(
      fc.property(quantity, (text) => {
        const written = canonicalQuantity(text) ?? "";
        assert.equal(canonicalQuantity(written), written);
        assert.equal(compareQuantities(text, written), 0);
      }),
    );
  });

  it("orders as the numbers do", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), (a, b) => {
        assert.equal(compareQuantities(`${a}m`, `${b}m`), Math.sign(a - b));
      }),
    );
  });

  it("gives thousandths and units rounded up", () => {
    assert.equal(milliOf("250m"), 250);
    assert.equal(milliOf("1.5"), 1500);
    assert.equal(milliOf("0.0001"), 1);
    assert.equal(unitsOf("64Mi"), 67_108_864);
    assert.equal(unitsOf("1500m"), 2);
  });
});
