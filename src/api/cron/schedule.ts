/** When something is due, as cron's five fields say it. Each list is ascending. */
export interface CronSchedule {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  /** Days of the month, from 1. */
  readonly days: readonly number[];
  /** From 1. */
  readonly months: readonly number[];
  /** Sunday is 0. */
  readonly weekdays: readonly number[];
  /**
   * As in every cron: when both the days of the month and the weekdays are restricted, a day that matches one of them is enough.
   */
  readonly eitherDay: boolean;
}

interface Field {
  readonly name: string;
  readonly minimum: number;
  readonly maximum: number;
  /** For `minimum` and what follows. */
  readonly names?: readonly string[];
}

const fields: readonly Field[] = [
  { name: "minute", minimum: 0, maximum: 59 },
  { name: "hour", minimum: 0, maximum: 23 },
  { name: "day of the month", minimum: 1, maximum: 31 },
  {
    name: "month",
    minimum: 1,
    maximum: 12,
    names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
  },
  { name: "day of the week", minimum: 0, maximum: 6, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
];

const macros: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

/** Days that a month has at most, January first. */
const monthDays = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * A schedule as crontab(5) and Kubernetes write it: five fields of numbers, names, `*` (or `?`), ranges, lists and steps, or a macro
 * such as `@hourly`. A text says what is wrong with it, and in which of the five fields.
 */
export function parseSchedule(text: string): CronSchedule | string {
  const trimmed = text.trim();
  if (/TZ=/.test(trimmed)) return "must not name a time zone: spec.timeZone does";
  if (trimmed.startsWith("@")) return parseMacro(trimmed);
  const parts = trimmed.split(/\s+/);
  if (trimmed === "" || parts.length !== fields.length)
    return `must have five fields (${fields.map(({ name }) => name).join(", ")}), not ${trimmed === "" ? 0 : parts.length}`;
  const found: { values: readonly number[]; isOpen: boolean }[] = [];
  for (const [at, part] of parts.entries()) {
    const parsed = parseField(part, fields[at]!);
    if (typeof parsed === "string") return `field ${at + 1} (${fields[at]!.name}): ${parsed}`;
    found.push(parsed);
  }
  const [minutes, hours, days, months, weekdays] = found as [Parsed, Parsed, Parsed, Parsed, Parsed];
  const schedule: CronSchedule = {
    minutes: minutes.values,
    hours: hours.values,
    days: days.values,
    months: months.values,
    weekdays: weekdays.values,
    eitherDay: !days.isOpen && !weekdays.isOpen,
  };
  const exists = schedule.months.some((month) => (schedule.days[0] ?? 0) <= (monthDays[month - 1] ?? 0));
  if (!exists && !schedule.eitherDay) return `field 3 (day of the month): no month of field 4 has a day "${parts[2]}"`;
  return schedule;
}

type Parsed = { readonly values: readonly number[]; readonly isOpen: boolean };

function parseMacro(text: string): CronSchedule | string {
  const expanded = Object.hasOwn(macros, text) ? macros[text] : undefined;
  if (expanded !== undefined) return parseSchedule(expanded);
  const known = Object.keys(macros).join(", ");
  if (text.startsWith("@every"))
    return `"@every" is no moment of the clock: write a step such as "*/5 * * * *", or one of ${known}`;
  return `there is no macro "${text.slice(0, 40)}": known are ${known}`;
}

/** A list of values, ranges and steps. `isOpen`: a star without a step is in it. */
function parseField(text: string, field: Field): Parsed | string {
  const values = new Set<number>();
  let isOpen = false;
  for (const item of text.split(",")) {
    const range = parseItem(item, field);
    if (typeof range === "string") return range;
    for (let value = range.first; value <= range.last; value += range.step) values.add(value);
    isOpen ||= range.isStar && range.step === 1;
  }
  return { values: [...values].sort((left, right) => left - right), isOpen };
}

interface Range {
  readonly first: number;
  readonly last: number;
  readonly step: number;
  readonly isStar: boolean;
}

/** `*`, `5`, `mon-fri`, `*` and `/15`, `3-30/2`; `5/15` goes on to the end. */
function parseItem(text: string, field: Field): Range | string {
  const [span = "", stepText, ...more] = text.split("/");
  if (more.length > 0) return `"${text.slice(0, 40)}" has more than one "/"`;
  const step = stepText === undefined ? 1 : numberOf(stepText);
  if (step === undefined || step < 1) return `the step in "${text.slice(0, 40)}" must be a number from 1`;
  if (span === "*" || span === "?") return { first: field.minimum, last: field.maximum, step, isStar: true };
  const [firstText = "", lastText, ...rest] = span.split("-");
  if (rest.length > 0) return `"${text.slice(0, 40)}" has more than one "-"`;
  const first = valueOf(firstText, field);
  if (typeof first === "string") return first;
  const open = stepText === undefined ? first : field.maximum;
  const last = lastText === undefined ? open : valueOf(lastText, field);
  if (typeof last === "string") return last;
  if (last < first) return `the range "${span}" goes down`;
  return { first, last, step, isStar: false };
}

function valueOf(text: string, { minimum, maximum, names }: Field): number | string {
  const named = names?.indexOf(text.toLowerCase()) ?? -1;
  if (named >= 0) return minimum + named;
  const value = numberOf(text);
  const shown = text.slice(0, 40);
  if (value === undefined)
    return `"${shown}" is no number${names === undefined ? "" : ` and none of ${names.join(", ")}`}`;
  if (value < minimum || value > maximum) {
    const sunday = value === 7 && names?.[0] === "sun" ? "; Sunday is 0" : "";
    return `"${shown}" is not from ${minimum} to ${maximum}${sunday}`;
  }
  return value;
}

function numberOf(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
