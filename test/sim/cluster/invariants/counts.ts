import type { Pod } from "../../../../src/api/kinds/pod.js";
import type { ClusterRule, RuleSite } from "./rule.js";

/**
 * O9: each end of a container is told once: a Pod that has ended stays so, restarts never count back and never beyond the ends that the engine has
 * seen, and what is not to be restarted is started once.
 */
export function countsRule({ book, fail }: RuleSite): ClusterRule {
  /** By uid and container's name. */
  const starts = new Map<string, number>();
  return {
    onStarted(_machine, { spec }) {
      if (spec.role !== "container") return;
      const key = `${spec.podUid}/${spec.containerName}`;
      const count = (starts.get(key) ?? 0) + 1;
      starts.set(key, count);
      const facts = book.of(spec.podUid);
      if (count > 1 && facts?.pod.spec.restartPolicy === "Never")
        fail(
          "O9 counted once",
          `${spec.containerName} of ${spec.podName} is not to be restarted, and was started again`,
        );
    },
    onStep({ changes }) {
      for (const { before, after } of changes) {
        if (!before || after?.kind !== "Pod" || before.metadata.uid !== after.metadata.uid) continue;
        const [was, is] = [before as unknown as Pod, after as unknown as Pod];
        const { name, uid = "" } = is.metadata;
        const phase = was.status?.phase;
        if ((phase === "Succeeded" || phase === "Failed") && is.status?.phase !== phase)
          fail("O9 counted once", `${name} was ${phase} and is ${is.status?.phase}`);
        for (const { name: container, restartCount } of is.status?.containerStatuses ?? []) {
          const earlier = was.status?.containerStatuses?.find((one) => one.name === container)?.restartCount ?? 0;
          if (restartCount < earlier)
            fail(
              "O9 counted once",
              `${container} of ${name} was restarted ${earlier} times, and now ${restartCount} times`,
            );
          const started = starts.get(`${uid}/${container}`) ?? 0;
          // Without its sandbox a container is made again that was never started.
          if (restartCount > 0 && restartCount > started && book.of(uid)?.hasLostSandbox !== true)
            fail(
              "O9 counted once",
              `${container} of ${name} has ${restartCount} restarts and was started ${started} times`,
            );
        }
      }
    },
  };
}
