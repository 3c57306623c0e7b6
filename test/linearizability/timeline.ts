import type { NonLinearizable } from "./check.js";
import { textOf } from "./witness.js";

const widthPx = 1_600;
const rowPx = 22;

/** A page that draws the calls of a key over time, a row for each process: green what was placed, red what can't be. */
export function timeline({ key, calls, prefix, stuck }: NonLinearizable): string {
  const procs = [...new Set(calls.map((call) => call.proc))];
  const placed = new Map(prefix.map((call, at) => [`${call.proc} ${call.calledAt}`, at + 1]));
  const ends = calls.flatMap((call) =>
    call.returnedAt === Infinity ? [call.calledAt] : [call.calledAt, call.returnedAt],
  );
  // Not spread into Math.max, which takes no more arguments than the stack holds.
  const [from, to] = ends.reduce(
    ([least, most], at) => [Math.min(least, at), Math.max(most, at)],
    [Infinity, -Infinity],
  );
  const x = (at: number): number => Math.round(((Math.min(at, to) - from) / Math.max(1, to - from)) * widthPx);
  const bars = calls.map((call) => {
    const order = placed.get(`${call.proc} ${call.calledAt}`);
    const isStuck = call.proc === stuck.proc && call.calledAt === stuck.calledAt;
    const color = isStuck ? "#d33" : order === undefined ? "#bbb" : "#7c7";
    const title = `${order === undefined ? "not placed" : `number ${order}`}: ${textOf(call)}`;
    const width = Math.max(3, x(call.returnedAt) - x(call.calledAt));
    return `<div title="${escape(title)}" style="position:absolute;left:${x(call.calledAt)}px;top:${procs.indexOf(call.proc) * rowPx}px;width:${width}px;height:${rowPx - 4}px;background:${color}">${escape(`${call.f} ${call.value ?? ""}`)}</div>`;
  });
  return `<!doctype html><meta charset="utf-8"><title>${escape(key)}</title>
<body style="font:11px sans-serif;white-space:nowrap"><h1>${escape(key)}</h1>
<p>Green: the longest order found, its numbers in the titles. Red: ${escape(textOf(stuck))}, which can't come next.</p>
<div style="position:relative;height:${procs.length * rowPx}px">${bars.join("\n")}</div></body>
`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
