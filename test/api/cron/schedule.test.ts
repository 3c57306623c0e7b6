import assert from "node:assert/strict";
import { parseSchedule } from "../../../src/api/cron/schedule.js";

describe("cron schedules", () => {
  const same: readonly (readonly [text: string, as: string])[] = [
    ["@hourly", "0 * * * *"],
    ["@daily", "0 0 * * *"],
    ["@midnight", "0 0 * * *"],
    ["@weekly", "0 0 * * 0"],
    ["@monthly", "0 0 1 * *"],
    ["@yearly", "0 0 1 1 *"],
    ["@annually", "0 0 1 1 *"],
    ["*/15 * * * *", "0,15,30,45 * * * *"],
    ["5/20 * * * *", "5,25,45 * * * *"],
    ["10-30/10 1-3,5 * * *", "10,20,30 1,2,3,5 * * *"],
    ["0 0 ? JAN-mar Mon-Fri", "0 0 * 1-3 1-5"],
    ["  0   12 1 1 sun ", "0 12 1 1 0"],
  ];
  for (const [text, as] of same)
    it(`"${text}" is "${as}"`, () => {
      const parsed = parseSchedule(text);
      assert.equal(typeof parsed, "object", JSON.stringify(parsed));
      assert.deepEqual(parsed, parseSchedule(as));
    });

  const faults: readonly (readonly [text: string, fault: string])[] = [
    ["", "must have five fields (minute, hour, day of the month, month, day of the week), not 0"],
    ["* * * *", "must have five fields (minute, hour, day of the month, month, day of the week), not 4"],
    ["0 * * * * *", "must have five fields (minute, hour, day of the month, month, day of the week), not 6"],
    ["60 * * * *", 'field 1 (minute): "60" is not from 0 to 59'],
    ["* 24 * * *", 'field 2 (hour): "24" is not from 0 to 23'],
    ["* * 0 * *", 'field 3 (day of the month): "0" is not from 1 to 31'],
    ["* * * 13 *", 'field 4 (month): "13" is not from 1 to 12'],
    ["* * * * 7", 'field 5 (day of the week): "7" is not from 0 to 6; Sunday is 0'],
    [
      "* * * foo *",
      'field 4 (month): "foo" is no number and none of jan, feb, mar, apr, may, jun, jul, aug, sep, oct, nov, dec',
    ],
    ["a * * * *", 'field 1 (minute): "a" is no number'],
    ["1,,2 * * * *", 'field 1 (minute): "" is no number'],
    ["5-1 * * * *", 'field 1 (minute): the range "5-1" goes down'],
    ["1-2-3 * * * *", 'field 1 (minute): "1-2-3" has more than one "-"'],
    ["*/0 * * * *", 'field 1 (minute): the step in "*/0" must be a number from 1'],
    ["*/x * * * *", 'field 1 (minute): the step in "*/x" must be a number from 1'],
    ["*/1/2 * * * *", 'field 1 (minute): "*/1/2" has more than one "/"'],
    ["0 0 31 2 *", 'field 3 (day of the month): no month of field 4 has a day "31"'],
    ["0 0 31 4,6 ?", 'field 3 (day of the month): no month of field 4 has a day "31"'],
    ["TZ=Europe/Berlin 0 0 * * *", "must not name a time zone: spec.timeZone does"],
    ["CRON_TZ=UTC 0 0 * * *", "must not name a time zone: spec.timeZone does"],
    [
      "@often",
      'there is no macro "@often": known are @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly',
    ],
    [
      "@every 5m",
      '"@every" is no moment of the clock: write a step such as "*/5 * * * *", or one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly',
    ],
  ];
  for (const [text, fault] of faults)
    it(`"${text}" is refused with its place`, () => assert.equal(parseSchedule(text), fault));

  it("a day is one of either field when both restrict it, as in every cron", () => {
    const eitherDay = (text: string): boolean | undefined => {
      const parsed = parseSchedule(text);
      return typeof parsed === "string" ? undefined : parsed.eitherDay;
    };
    assert.equal(eitherDay("0 0 13 * 5"), true);
    assert.equal(eitherDay("0 0 13 * *"), false);
    assert.equal(eitherDay("0 0 ? * 5"), false);
    assert.equal(eitherDay("0 0 */2 * 5"), true);
    assert.equal(eitherDay("0 0 31 2 1"), true);
  });
});
