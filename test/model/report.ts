import { guarantees } from "../linearizability/nine-guarantees.js";
import type { ModelReport } from "./run.js";

/** The report as people read it; its last line says it all. */
export function reportLines(report: ModelReport): string[] {
  const { operations, disturbances, compactions, deviations } = report;
  const total = sum(operations);
  const seconds = report.elapsedMs / 1000;
  const restarts = [...disturbances].filter(([name]) => name.startsWith("SIG"));
  return [
    listed("operations", operations),
    listed("disturbances", disturbances),
    listed(
      "guarantees of watches, checks",
      new Map(Object.keys(guarantees).map((name) => [name, checks(report, name)])),
    ),
    `${report.watches} watches in ${report.sessions} sessions, ${report.fragments} responses in parts`,
    `${report.compared} answers compared, ${report.refused} refused, ${report.unknown} of unknown outcome`,
    ...deviations.flatMap((deviation) => ["", deviation]),
    `${total} operations in ${seconds.toFixed(0)} s, ${sum(new Map(restarts))} restarts, ${report.leaderChanges} changes of the leader, ${compactions.etcd} + ${compactions.objects} compactions, ${report.historicReads} historic reads, ${report.watchEvents} watch events checked, ${deviations.length} deviations`,
  ];
}

function checks({ guarantees: checked }: ModelReport, name: string): number {
  return checked.get(name as keyof typeof guarantees) ?? 0;
}

function listed(what: string, counts: ReadonlyMap<string, number>): string {
  const sorted = [...counts].sort(([, left], [, right]) => right - left);
  return `${what}: ${sorted.map(([name, count]) => `${name} ${count}`).join(", ")}`;
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, count) => total + count, 0);
}
