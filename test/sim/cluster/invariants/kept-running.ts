import type { FakeContainer } from "../../../../node-agent/core/fake-engine.js";
import type { Pod } from "../../../../src/api/kinds/pod.js";
import type { ClusterRule, RuleSite } from "./rule.js";

/**
 * O13, O14: an agent ends no container of a Pod that is to run on its node: not when it hears of no server, not after its own restart, not for what
 * an old server says.
 */
export function keptRunningRule({ truth, book, fail }: RuleSite): ClusterRule {
  /** Which start of the agent's process has started it. */
  const startedIn = new Map<FakeContainer, number>();
  return {
    onStarted(machine, container) {
      startedIn.set(container, machine.starts);
    },
    onEnded(_machine, container) {
      startedIn.delete(container);
      const facts = book.of(container.spec.podUid);
      if (facts && container.spec.role === "sandbox") facts.hasLostSandbox = true;
    },
    onAsked(machine, container, what) {
      const { podUid, podName, role, containerName } = container.spec;
      const pod = truth.snapshot().byUid(podUid) as unknown as Pod | undefined;
      if (role !== "container" || !pod || pod.metadata.deletionTimestamp !== undefined) return;
      if (pod.spec.nodeName !== machine.name || pod.status?.phase === "Failed" || pod.status?.phase === "Succeeded")
        return;
      if (book.of(podUid)?.hasLostSandbox === true) return;
      const isAdopted = startedIn.get(container) !== machine.starts;
      const rule = isAdopted ? "O14 agent restart" : "O13 keeps running";
      fail(
        rule,
        `the agent of ${machine.name} asks for the ${what} of ${containerName} of ${podName}, which is to run`,
      );
    },
  };
}
