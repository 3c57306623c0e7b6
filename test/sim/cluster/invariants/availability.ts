import type { Deployment } from "../../../../src/api/kinds/apps.js";
import type { Pod } from "../../../../src/api/kinds/pod.js";
import type { AnyObject } from "../../../../src/api/object.js";
import type { ClusterRule, RuleSite } from "./rule.js";
import { decisionMs, shareOf } from "./surge.js";

/** By whose clock a Pod was ready for minReadySeconds is not known better than this. */
const skewMs = 70_000;
/**
 * O2: no controller takes a ready Pod of a Deployment when fewer than replicas - maxUnavailable would be left. What fails by itself is nobody's
 * decision: Pods that were ready a moment ago count.
 */
export function availabilityRule({ truth, book, now, fail }: RuleSite): ClusterRule {
  /** By uid of the Deployment: how many have to be available, until when. */
  const bounds = new Map<string, { untilMs: number; readonly least: number }[]>();
  const readyAt = new Map<string, number>();
  /** Of Pods that are ready: since when. */
  const readySince = new Map<string, number>();
  return {
    onStep({ changes, origin }) {
      for (const { before, after } of changes) {
        if (after?.kind === "Deployment") noteBound(bounds, after as unknown as Deployment, now());
        if (after?.kind === "Pod" && isReady(after) && !(before && isReady(before)))
          readySince.set(after.metadata.uid ?? "", now());
        if (after?.kind === "Pod" && isReady(after)) readyAt.set(after.metadata.uid ?? "", Infinity);
        else if (before?.kind === "Pod" && isReady(before)) readyAt.set(before.metadata.uid ?? "", now());
      }
      if (!/^controller\/(deployment|replicaset)$/.test(origin)) return;
      for (const { before, after } of changes) {
        if (before?.kind !== "Pod" || !isReady(before) || before.metadata.deletionTimestamp !== undefined) continue;
        if (after !== undefined && after.metadata.deletionTimestamp === undefined) continue;
        const facts = book.of(before.metadata.uid ?? "");
        if (facts?.deployment === undefined || facts.isDoubtful) continue;
        const { minReadySeconds = 0 } =
          (truth.snapshot().byUid(facts.deployment) as unknown as Deployment | undefined)?.spec ?? {};
        const readyMs = now() - (readySince.get(facts.uid) ?? 0);
        if (minReadySeconds > 0 && readyMs < minReadySeconds * 1000 + skewMs) continue;
        const others = [...book.all()].filter(
          (one) => one.deployment === facts.deployment && !one.isTerminating && !one.isGone,
        );
        const available = others.filter(({ uid }) => (readyAt.get(uid) ?? -Infinity) > now() - decisionMs).length;
        const lately = (bounds.get(facts.deployment) ?? []).filter(({ untilMs }) => untilMs > now() - decisionMs);
        const least = Math.min(...lately.map((bound) => bound.least));
        if (available < least)
          fail("O2 availability", `${facts.name} is taken: ${available} are left available, ${least} have to be`);
      }
    },
  };
}

function noteBound(
  bounds: Map<string, { untilMs: number; readonly least: number }[]>,
  { metadata, spec }: Deployment,
  nowMs: number,
): void {
  const known = bounds.get(metadata.uid ?? "") ?? [];
  bounds.set(metadata.uid ?? "", known);
  const least = leastOf(spec);
  const last = known.at(-1);
  if (last?.least === least) return;
  if (last) last.untilMs = nowMs;
  known.push({ untilMs: Infinity, least });
}

function leastOf(spec: Deployment["spec"]): number {
  const replicas = spec.replicas ?? 1;
  if (spec.strategy?.type === "Recreate") return 0;
  const { maxSurge = "25%", maxUnavailable = "25%" } = spec.strategy?.rollingUpdate ?? {};
  const unavailable = shareOf(maxUnavailable, replicas, Math.floor);
  const isStuck = unavailable === 0 && shareOf(maxSurge, replicas, Math.ceil) === 0;
  return Math.max(0, replicas - (isStuck ? 1 : unavailable));
}

function isReady(object: AnyObject): boolean {
  const { status } = object as unknown as Pod;
  return status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") === true;
}
