import assert from "node:assert/strict";
import * as fc from "fast-check";
import { parseSchedule, type CronSchedule } from "../../../src/api/cron/schedule.js";
import { timeZoneOf, utc, type TimeZone } from "../../../src/api/cron/time-zone.js";
import { countTimes, latestTime, nextTime } from "../../../src/api/cron/times.js";

function schedule(text: string): CronSchedule {
  const parsed = parseSchedule(text);
  assert(typeof parsed !== "string", text);
  return parsed;
}

function zoneNamed(name: string): TimeZone {
  const zone = timeZoneOf(name);
  assert(zone !== undefined, name);
  return zone;
}

const at = (text: string): number => Date.parse(text);
const shown = (time: number | undefined): string | undefined =>
  time === undefined ? undefined : new Date(time).toISOString().replace(":00.000Z", "Z");

describe("times of a cron schedule", () => {
  const cases: readonly (readonly [schedule: string, zone: string, after: string, next: string])[] = [
    ["* * * * *", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:01Z"],
    ["* * * * *", "UTC", "2026-01-01T00:00:59.999Z", "2026-01-01T00:01Z"],
    ["0 * * * *", "UTC", "2026-12-31T23:00:00Z", "2027-01-01T00:00Z"],
    ["30 9 * * mon-fri", "UTC", "2026-01-02T09:30:00Z", "2026-01-05T09:30Z"],
    ["0 0 1 * *", "UTC", "2026-01-31T12:00:00Z", "2026-02-01T00:00Z"],
    ["0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00Z"],
    ["0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", "2104-02-29T00:00Z"],
    ["0 0 31 * *", "UTC", "2026-01-31T00:00:00Z", "2026-03-31T00:00Z"],
    // Friday or the 13th.
    ["0 0 13 * 5", "UTC", "2026-01-09T00:00:00Z", "2026-01-13T00:00Z"],
    ["0 0 13 * 5", "UTC", "2026-01-13T00:00:00Z", "2026-01-16T00:00Z"],
    ["0 0 * * *", "Europe/Berlin", "2026-01-01T00:00:00Z", "2026-01-01T23:00Z"],
    ["0 0 * * *", "Europe/Berlin", "2026-07-01T00:00:00Z", "2026-07-01T22:00Z"],
    ["45 9 * * *", "Asia/Kathmandu", "2026-07-01T00:00:00Z", "2026-07-01T04:00Z"],
    ["0 8 * * *", "Pacific/Kiritimati", "2026-07-01T17:59:00Z", "2026-07-01T18:00Z"],
    // 02:30 is skipped in spring: 2026-03-29 has none.
    ["30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T00:30Z"],
    ["30 2 11 3 ?", "America/New_York", "2012-03-11T05:00:00Z", "2013-03-11T06:30Z"],
    ["0 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T01:00Z"],
    // 02:30 is shown twice in autumn, an hour apart.
    ["30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30Z"],
    ["30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T01:30Z"],
    ["30 2 * * *", "Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-26T01:30Z"],
    ["30 1 * * *", "America/New_York", "2012-11-04T05:45:00Z", "2012-11-04T06:30Z"],
    // Midnight itself is skipped.
    ["0 0 * * *", "America/Asuncion", "2023-09-30T12:00:00Z", "2023-10-02T03:00Z"],
    // Samoa went over the date line without a 30 December.
    ["0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z", "2012-12-29T22:00Z"],
  ];
  for (const [text, zone, after, next] of cases)
    it(`"${text}" in ${zone} after ${after}`, () =>
      assert.equal(shown(nextTime(schedule(text), zoneNamed(zone), at(after))), next));

  it("the latest of the missed ones is found, however long ago the last one was", () => {
    const hourly = schedule("0 * * * *");
    assert.equal(
      shown(latestTime(hourly, utc, at("2006-01-01T00:00:00Z"), at("2026-05-05T05:59:59Z"))),
      "2026-05-05T05:00Z",
    );
    assert.equal(latestTime(hourly, utc, at("2026-05-05T05:00:00Z"), at("2026-05-05T05:59:59Z")), undefined);
    assert.equal(
      shown(latestTime(hourly, utc, at("2026-05-05T04:59:59Z"), at("2026-05-05T05:00:00Z"))),
      "2026-05-05T05:00Z",
    );
    assert.equal(latestTime(hourly, utc, at("2027-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z")), undefined);
  });

  it("missed ones are counted up to a bound", () => {
    const minutely = schedule("* * * * *");
    const from = at("2026-01-01T00:00:00Z");
    assert.equal(countTimes(minutely, utc, from, from + 100 * 60_000, 101), 100);
    assert.equal(countTimes(minutely, utc, from, from + 300 * 60_000, 101), 101);
    assert.equal(countTimes(minutely, utc, from, from + 59_999, 101), 0);
  });

  it("agree with looking at every minute, over changes of the clocks", () => {
    const zones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"];
    const texts = ["*/7 * * * *", "30 2 * * *", "0 1-3 * * *", "15 0,2 * * sun", "59 23 * * *", "0 0 29-31 3,10 *"];
    const starts = ["2026-03-27T00:00:00Z", "2026-10-23T00:00:00Z", "2026-04-03T00:00:00Z", "2026-10-02T00:00:00Z"];
    const plays = fc.property(
      fc.constantFrom(...zones),
      fc.constantFrom(...texts),
      fc.constantFrom(...starts),
      fc.integer({ min: 0, max: 4 * 24 * 60 }),
      (name, text, start, minutes) => {
        const [wanted, zone] = [schedule(text), zoneNamed(name)];
        const after = at(start) + minutes * 60_000;
        const horizon = after + 2 * 24 * 3_600_000;
        let slow: number | undefined;
        for (let time = after + 60_000; time <= horizon && slow === undefined; time += 60_000)
          if (isShown(wanted, zone, time)) slow = time;
        const fast = nextTime(wanted, zone, after);
        assert.equal(fast !== undefined && fast <= horizon ? fast : undefined, slow);
      },
    );
    fc.assert(plays, { numRuns: 60 });
  }).timeout(30_000);
});

function isShown(
  { minutes, hours, days, months, weekdays, eitherDay }: CronSchedule,
  zone: TimeZone,
  time: number,
): boolean {
  const local = new Date(time + zone.offsetMs(time));
  const inMonth = days.includes(local.getUTCDate());
  const inWeek = weekdays.includes(local.getUTCDay());
  return (
    minutes.includes(local.getUTCMinutes()) &&
    hours.includes(local.getUTCHours()) &&
    months.includes(local.getUTCMonth() + 1) &&
    (eitherDay ? inMonth || inWeek : inMonth && inWeek)
  );
}

describe("time zones", () => {
  for (const name of ["UTC", "Etc/UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
    it(`${name} is one`, () => assert(timeZoneOf(name) !== undefined));
  for (const name of [
    "",
    "Local",
    "local",
    "Nowhere/City",
    "+05:00",
    "+0500",
    "../etc/passwd",
    "Europe//Berlin",
    "a".repeat(300),
  ])
    it(`"${name.slice(0, 20)}" is none`, () => assert.equal(timeZoneOf(name), undefined));
  it("have their offset at a time", () => {
    const berlin = zoneNamed("Europe/Berlin");
    assert.equal(berlin.offsetMs(at("2026-01-01T00:00:00Z")), 3_600_000);
    assert.equal(berlin.offsetMs(at("2026-07-01T00:00:00Z")), 7_200_000);
    assert.equal(zoneNamed("America/New_York").offsetMs(at("2026-07-01T00:00:00.500Z")), -4 * 3_600_000);
  });
});
