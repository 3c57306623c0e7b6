import { availabilityRule } from "./availability.js";
import { convergenceRule } from "./convergence.js";
import { countsRule } from "./counts.js";
import { deletionRule } from "./deletion.js";
import { jobCountsRule } from "./job-counts.js";
import { keptRunningRule } from "./kept-running.js";
import { onceRule } from "./once.js";
import { orphansRule } from "./orphans.js";
import { placementRule } from "./placement.js";
import type { ClusterRule, RuleSite } from "./rule.js";
import { secretsRule } from "./secrets.js";
import { surgeRule } from "./surge.js";
import { userSpecsRule } from "./user-specs.js";

/** The rules of orchestration, but for O3 (the world waits for what is wanted) and O8 (the world compares the caches). */
export function allRules(site: RuleSite): readonly ClusterRule[] {
  return [
    surgeRule(site),
    availabilityRule(site),
    onceRule(site),
    orphansRule(site),
    placementRule(site),
    userSpecsRule(site),
    countsRule(site),
    jobCountsRule(site),
    deletionRule(site),
    convergenceRule(site),
    secretsRule(site),
    keptRunningRule(site),
  ];
}
