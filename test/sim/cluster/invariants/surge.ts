import type { Deployment } from "../../../../src/api/kinds/apps.js";
import type { PodFacts } from "../pod-book.js";
import type { ClusterRule, RuleSite } from "./rule.js";

/** A decision that is committed now may have been made so long ago: what was wanted then stands. */
export const decisionMs = 15_000;

/**
 * O1: no more Pods of a Deployment run than replicas + maxSurge, as the engines see it, at every instant. Left out are Pods that were given up
 * while their node was lost: nobody can confirm their end.
 */
export function surgeRule({ truth, census, book, now, fail }: RuleSite): ClusterRule {
  /** By uid: how many may run, until when. */
  const bounds = new Map<string, { untilMs: number; readonly most: number }[]>();
  const isCounted = (facts: PodFacts | undefined, deployment: string): facts is PodFacts =>
    facts?.deployment === deployment && !(facts.isDoubtful && (facts.isTerminating || facts.isGone));
  return {
    onStep({ changes }) {
      for (const { after } of changes) {
        if (after?.kind !== "Deployment") continue;
        const known = bounds.get(after.metadata.uid ?? "") ?? [];
        bounds.set(after.metadata.uid ?? "", known);
        const most = mostOf(after as unknown as Deployment);
        const last = known.at(-1);
        if (last?.most === most) continue;
        if (last) last.untilMs = now();
        known.push({ untilMs: Infinity, most });
      }
    },
    onStarted(_machine, { spec }) {
      const deployment = book.of(spec.podUid)?.deployment;
      if (spec.role !== "container" || deployment === undefined) return;
      const running = [...census.pods()].map((uid) => book.of(uid)).filter((facts) => isCounted(facts, deployment));
      const since = Math.min(...running.map(({ createdMs }) => createdMs)) - decisionMs;
      const lately = (bounds.get(deployment) ?? []).filter(({ untilMs }) => untilMs > since);
      const most = Math.max(...lately.map((bound) => bound.most));
      if (running.length === 0 || running.length <= most) return;
      const names = running.map(({ name }) => name).join(", ");
      const what = truth.snapshot().byUid(deployment)?.metadata.name ?? deployment;
      fail("O1 surge", `${what}: ${running.length} Pods run, ${most} may: ${names}`);
    },
  };
}

function mostOf({ spec }: Deployment): number {
  const replicas = spec.replicas ?? 1;
  if (spec.strategy?.type === "Recreate") return replicas;
  const { maxSurge = "25%" } = spec.strategy?.rollingUpdate ?? {};
  return replicas + shareOf(maxSurge, replicas, Math.ceil);
}

/** A number, or a percentage of the replicas. */
export function shareOf(value: number | string, replicas: number, round: (value: number) => number): number {
  const text = String(value);
  return text.endsWith("%") ? round((Number(text.slice(0, -1)) * replicas) / 100) : Number(text);
}
