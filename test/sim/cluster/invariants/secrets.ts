import { ikada } from "#proto/agent.js";
import type { Pod } from "../../../../src/api/kinds/pod.js";
import type { ClusterRule, RuleSite } from "./rule.js";

const { Type } = ikada.agent.v1.Assignments;

/** O12: a Secret is sent only to nodes that had a Pod which needs it, and in the end none has one that none of its Pods needs. */
export function secretsRule({ truth, machines, fail }: RuleSite): ClusterRule {
  /** `node/secret` that a Pod of the node ever needed. */
  const needed = new Set<string>();
  /** Secrets that the node was told of and keeps. */
  const told = new Map<string, Set<string>>();
  return {
    onStep({ changes }) {
      for (const { after } of changes) {
        if (after?.kind !== "Pod") continue;
        const pod = after as unknown as Pod;
        if (pod.spec.nodeName) for (const name of secretsOf(pod)) needed.add(`${pod.spec.nodeName}/${name}`);
      }
    },
    onSent(node, { assignments }) {
      if (!assignments) return;
      const keeps = assignments.type === Type.COMPLETE ? new Set<string>() : (told.get(node) ?? new Set());
      told.set(node, keeps);
      for (const { kind, name } of assignments.removedObjects ?? []) if (kind === "Secret") keeps.delete(name ?? "");
      for (const { kind, name = "" } of assignments.objects ?? []) {
        if (kind !== "Secret") continue;
        keeps.add(name ?? "");
        if (!needed.has(`${node}/${name}`))
          fail("O12 secrets", `${node} is sent Secret ${name}, which no Pod of it needs`);
      }
    },
    atEnd() {
      for (const { name: node, isLost } of machines) {
        const wanted = new Set(truth.snapshot().podsOnNode<Pod>(node).flatMap(secretsOf));
        const left = [...(told.get(node) ?? [])].find((name) => !wanted.has(name));
        if (left !== undefined && !isLost)
          fail("O12 secrets", `${node} still has Secret ${left}, which no Pod of it needs`);
      }
    },
  };
}

function secretsOf({ spec }: Pod): readonly string[] {
  return spec.containers.flatMap(({ env = [] }) => env.flatMap((one) => one.valueFrom?.secretKeyRef?.name ?? []));
}
