import { daysSinceEpoch } from "../time.js";

/** How far the clocks of a place are before UTC. */
export interface TimeZone {
  /** At this time (milliseconds since 1970), in milliseconds; behind UTC it is negative. */
  offsetMs(timeMs: number): number;
}

export const utc: TimeZone = { offsetMs: () => 0 };

/**
 * A zone by its name in the IANA database, for example `Europe/Berlin`; undefined when there is none. The rules are those that come with the
 * process: a server decides by its own.
 */
export function timeZoneOf(name: string): TimeZone | undefined {
  const known = zones.get(name);
  if (known !== undefined) return known;
  if (!isZoneName(name)) return undefined;
  const zone = openZone(name);
  if (zone === undefined) return undefined;
  if (zones.size >= zonesMax) zones.clear();
  zones.set(name, zone);
  return zone;
}

/** Kubernetes' rule: parts of letters, digits, `.`, `_`, `+` and `-`, none of them a path's `.` or `..`. `Local` is not explicit. */
function isZoneName(name: string): boolean {
  if (!/^[A-Za-z]/.test(name) || name.toLowerCase() === "local") return false;
  return name.split("/").every((part) => /^[A-Za-z._0-9+][-A-Za-z._0-9+]{0,13}$/.test(part) && !/^\.\.?$/.test(part));
}

function openZone(timeZone: string): TimeZone | undefined {
  let format: { formatToParts(timeMs: number): { type: string; value: string }[] };
  try {
    // A pure function of name and time, as far as it is used here: the locale is fixed.
    // oxlint-disable-next-line no-restricted-globals -- the engine's time zone data has no other door
    format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch {
    // A RangeError: there is no such zone. That is what undefined says.
    return undefined;
  }
  return {
    offsetMs(timeMs: number): number {
      const parts = Object.fromEntries(format.formatToParts(timeMs).map(({ type, value }) => [type, Number(value)]));
      const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
      const local = daysSinceEpoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
      return (local - Math.floor(timeMs / 1000)) * 1000;
    },
  };
}

/** Making one costs much more than asking it. Names come from users, so their number is bounded. */
const zones = new Map<string, TimeZone>();
const zonesMax = 500;
