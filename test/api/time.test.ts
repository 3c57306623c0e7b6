import assert from "node:assert/strict";
import * as fc from "fast-check";
import { formatAge, fromTimestamp, toMicroTimestamp, toTimestamp } from "../../src/api/time.js";

const lastSecond = Date.UTC(9999, 11, 31, 23, 59, 59);

describe("time", () => {
  it("writes and reads as the language's own calendar does", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: lastSecond / 1000 }), (seconds) => {
        const text = toTimestamp(seconds * 1000);
        assert.equal(text, new Date(seconds * 1000).toISOString().replace(".000Z", "Z"));
        assert.equal(fromTimestamp(text), seconds * 1000);
      }),
    );
  });

  it("understands offsets and fractions", () => {
    assert.equal(fromTimestamp("2026-01-31T14:00:00+02:00"), Date.UTC(2026, 0, 31, 12));
    assert.equal(fromTimestamp("2026-01-31t12:00:00.25z"), Date.UTC(2026, 0, 31, 12) + 250);
    assert.equal(toMicroTimestamp(Date.UTC(2026, 0, 31) + 0.5), "2026-01-31T00:00:00.000500Z");
  });

  for (const wrong of [
    "",
    "2026-01-31",
    "2026-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:00:00",
  ])
    it(`refuses "${wrong}"`, () => assert.equal(fromTimestamp(wrong), undefined));

  const ages: readonly (readonly [number, string])[] = [
    [-1, "0s"],
    [-5, "<invalid>"],
    [119, "119s"],
    [120, "2m"],
    [599, "9m59s"],
    [600, "10m"],
    [10_799, "179m"],
    [10_800, "3h"],
    [28_799, "7h59m"],
    [172_799, "47h"],
    [172_800, "2d"],
    [180_000, "2d2h"],
    [691_200, "8d"],
    [86_400 * 729, "729d"],
    [86_400 * 800, "2y70d"],
    [86_400 * 3000, "8y"],
  ];
  for (const [seconds, text] of ages)
    it(`shows ${seconds} s as ${text}`, () => assert.equal(formatAge(seconds * 1000), text));
});
