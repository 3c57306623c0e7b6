import type { Deployment } from "../../../../src/api/kinds/apps.js";
import type { PodFacts } from "../pod-book.js";
import type { ClusterRule, RuleSite } from "./rule.js";

/**
 * O1: no more Pods of a Deployment run than replicas + maxSurge, as the engines see it, at every instant. Left out are Pods that were given up
 * while their node was lost: nobody can confirm their end.
 */
export function surgeRule({ truth, census, book, fail }: RuleSite): ClusterRule {
  /** By uid: how many may run, from which revision on. */
  const bounds = new Map<string, { readonly revision: number; readonly most: number }[]>();
  const isCounted = (facts: PodFacts | undefined, deployment: string): facts is PodFacts =>
    facts?.deployment === deployment && !(facts.isDoubtful && (facts.isTerminating || facts.isGone));
  return {
    onStep({ changes, revision }) {
      for (const { after } of changes) {
        if (after?.kind !== "Deployment") continue;
        const known = bounds.get(after.metadata.uid ?? "") ?? [];
        bounds.set(after.metadata.uid ?? "", known);
        const most = mostOf(after as unknown as Deployment);
        if (known.at(-1)?.most !== most) known.push({ revision, most });
      }
    },
    onStarted(_machine, { spec }) {
      const deployment = book.of(spec.podUid)?.deployment;
      if (spec.role !== "container" || deployment === undefined) return;
      const running = [...census.pods()].map((uid) => book.of(uid)).filter((facts) => isCounted(facts, deployment));
      const since = Math.min(...running.map(({ createdAt }) => createdAt));
      const most = Math.max(...boundsSince(bounds.get(deployment) ?? [], since));
      if (running.length <= most) return;
      const names = running.map(({ name }) => name).join(", ");
      const what = truth.snapshot().byUid(deployment)?.metadata.name ?? deployment;
      fail("O1 surge", `${what}: ${running.length} Pods run, ${most} may: ${names}`);
    },
  };
}

/** The bounds that held at this revision or later. */
function boundsSince(
  bounds: readonly { readonly revision: number; readonly most: number }[],
  since: number,
): readonly number[] {
  const first = bounds.findLastIndex(({ revision }) => revision <= since);
  return bounds.slice(Math.max(0, first)).map(({ most }) => most);
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
