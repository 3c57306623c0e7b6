import type { ClusterRule, RuleSite } from "./rule.js";

/** O4: a container of a Pod runs once, a Pod on one machine, and of Pods of one StatefulSet never two of the same name. */
export function onceRule({ census, book, fail }: RuleSite): ClusterRule {
  return {
    onStarted(machine, { spec }) {
      if (spec.role !== "container") return;
      const { podUid, podName, containerName } = spec;
      const same = census.ofPod(podUid);
      if (same.filter(({ container }) => container.spec.containerName === containerName).length > 1)
        fail("O4 at most once", `container ${containerName} of ${podName} runs twice`);
      const elsewhere = same.find((one) => one.machine !== machine);
      if (elsewhere) fail("O4 at most once", `${podName} runs on ${machine.name} and on ${elsewhere.machine.name}`);
      if (book.of(podUid)?.owner?.kind !== "StatefulSet") return;
      const twins = [...census.pods()].filter((uid) => uid !== podUid && book.of(uid)?.name === podName);
      if (twins.some((uid) => book.of(uid)?.owner?.kind === "StatefulSet"))
        fail("O4 at most once", `${podName} of a StatefulSet runs twice`);
    },
  };
}
