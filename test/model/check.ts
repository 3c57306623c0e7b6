import { GuaranteeCheck, type Guarantee } from "../linearizability/nine-guarantees.js";
import { checkEtcd } from "./etcd-check.js";
import type { EtcdSite } from "./etcd-worker.js";
import { checkObjects } from "./object-check.js";
import type { ObjectSite } from "./object-worker.js";
import { Deviation } from "./recorded.js";
import type { Watching } from "./watching.js";

export interface Checked {
  /** By kind. */
  readonly operations: ReadonlyMap<string, number>;
  readonly refused: number;
  readonly unknown: number;
  readonly historicReads: number;
  /** Answers that were compared with the model's. */
  readonly compared: number;
  readonly watches: number;
  readonly sessions: number;
  readonly fragments: number;
  readonly watchEvents: number;
  readonly guarantees: ReadonlyMap<Guarantee, number>;
  readonly deviations: readonly string[];
}

/** Everything that was answered and seen in a run, compared with the model. The first deviation ends the comparison of a keyspace. */
export function checkRun({
  etcd,
  objects,
  watching,
}: {
  readonly etcd: EtcdSite;
  readonly objects: ObjectSite;
  readonly watching: Watching;
}): Checked {
  const deviations: string[] = [];
  const guarantees = new Map<Guarantee, number>();
  const { all } = watching;
  let [watchEvents, compared] = [0, 0];
  const checkWatches = (check: GuaranteeCheck, watches: readonly Parameters<GuaranteeCheck["check"]>[0][]): void => {
    for (const watch of watches) check.check(watch);
    watchEvents += check.events;
    for (const [name, count] of check.checked) guarantees.set(name, (guarantees.get(name) ?? 0) + count);
    deviations.push(...check.problems);
  };
  deviations.push(
    ...deviationOf(() => {
      const replay = checkEtcd(etcd.calls, watching.etcdWitnesses);
      compared += replay.compared;
      checkWatches(new GuaranteeCheck(replay.changes), all.etcd);
    }),
    ...deviationOf(() => {
      const replay = checkObjects(objects.calls, watching.objectWitnesses, objects.start);
      compared += replay.compared;
      checkWatches(new GuaranteeCheck(replay.changes), all.objects);
    }),
  );
  const calls = [...etcd.calls, ...objects.calls];
  const operations = new Map<string, number>();
  for (const { kind } of calls) operations.set(kind, (operations.get(kind) ?? 0) + 1);
  const watches = [...all.etcd, ...all.objects];
  return {
    operations,
    refused: calls.filter(({ outcome }) => outcome === "refused").length,
    unknown: calls.filter(({ outcome }) => outcome === "unknown").length,
    historicReads: calls.filter(({ kind, outcome }) => outcome === "ok" && /past|history|undo/.test(kind)).length,
    compared,
    watches: watches.length,
    sessions: watches.reduce((sum, { sessions }) => sum + sessions.length, 0),
    fragments: all.etcd.reduce((sum, watch) => sum + watch.fragments, 0),
    watchEvents,
    guarantees,
    deviations,
  };
}

function deviationOf(check: () => void): string[] {
  try {
    check();
    return [];
  } catch (caught) {
    if (caught instanceof Deviation) return [caught.message];
    throw caught;
  }
}
