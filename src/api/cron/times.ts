import { civilFromDays } from "../time.js";
import type { CronSchedule } from "./schedule.js";
import type { TimeZone } from "./time-zone.js";

/**
 * The first whole minute after `afterMs` at which clocks in the zone show a time of the schedule; undefined when there is none in the next
 * nine years. Milliseconds since 1970. What clocks skip in spring does not happen, what they show twice in autumn happens twice.
 */
export function nextTime(schedule: CronSchedule, zone: TimeZone, afterMs: number): number | undefined {
  // A clock that is set back may show the day before again.
  const today = Math.floor((afterMs + zone.offsetMs(afterMs)) / dayMs) - 1;
  for (let day = today; day <= today + daysAheadMax; day++) {
    if (!isDayOf(schedule, day)) continue;
    const time = firstOfDay(schedule, zone, day, afterMs);
    if (time !== undefined) return time;
  }
  return undefined;
}

/** The last such minute after `afterMs` and not after `untilMs`. */
export function latestTime(
  schedule: CronSchedule,
  zone: TimeZone,
  afterMs: number,
  untilMs: number,
): number | undefined {
  const isDueAfter = (time: number): boolean => (nextTime(schedule, zone, time) ?? Number.POSITIVE_INFINITY) <= untilMs;
  if (afterMs >= untilMs || !isDueAfter(afterMs)) return undefined;
  // The next time never falls as time goes on: the last moment with a next one that counts is found by halving.
  let [has, hasNot] = [afterMs, untilMs];
  while (hasNot - has > 1000) {
    const middle = Math.floor((has + hasNot) / 2);
    if (isDueAfter(middle)) has = middle;
    else hasNot = middle;
  }
  return nextTime(schedule, zone, has);
}

/** How many such minutes there are, up to `max`. */
export function countTimes(
  schedule: CronSchedule,
  zone: TimeZone,
  afterMs: number,
  untilMs: number,
  max: number,
): number {
  let count = 0;
  for (let time: number | undefined = afterMs; count < max; count++) {
    time = nextTime(schedule, zone, time);
    if (time === undefined || time > untilMs) break;
  }
  return count;
}

/** `day`: days since 1970-01-01 in the zone's own calendar. */
function isDayOf({ days, months, weekdays, eitherDay }: CronSchedule, day: number): boolean {
  const date = civilFromDays(day);
  if (!months.includes(date.month)) return false;
  const inMonth = days.includes(date.day);
  // 1970-01-01 was a Thursday.
  const inWeek = weekdays.includes((((day + 4) % 7) + 7) % 7);
  return eitherDay ? inMonth || inWeek : inMonth && inWeek;
}

function firstOfDay(schedule: CronSchedule, zone: TimeZone, day: number, afterMs: number): number | undefined {
  const midnight = day * dayMs;
  // The day's instants are from 14 hours before to 36 hours after what midnight would be in UTC.
  const offsets = [...new Set([-15, -2, 11, 24, 37].map((hours) => zone.offsetMs(midnight + hours * hourMs)))];
  const latest = Math.max(...offsets);
  let first: number | undefined;
  for (const hour of schedule.hours)
    for (const minute of schedule.minutes) {
      const local = midnight + hour * hourMs + minute * minuteMs;
      // Later ones of the day can't be earlier than this in any of the offsets.
      if (first !== undefined && local - latest >= first) return first;
      for (const offset of offsets) {
        const time = local - offset;
        if (time <= afterMs || (first !== undefined && time >= first)) continue;
        if (offsets.length === 1 || zone.offsetMs(time) === offset) first = time;
      }
    }
  return first;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
/** From one 29 February to the next it may be eight years. */
const daysAheadMax = 9 * 366;
