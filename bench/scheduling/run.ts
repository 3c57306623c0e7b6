import { median } from "../measure.js";
import { runPlan, type PlanOptions } from "./plan.js";

const spread = {
  topologySpreadConstraints: [
    {
      topologyKey: "topology.kubernetes.io/zone",
      maxSkew: 1,
      whenUnsatisfiable: "DoNotSchedule" as const,
      labelSelector: { matchLabels: { app: "web-0" } },
    },
  ],
};
const apart = {
  affinity: {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: { app: "web-0" } } },
      ],
    },
  },
};

const cases: readonly PlanOptions[] = [
  { title: "Pods of 1 ReplicaSet", nodes: 5000, running: 0, pods: 5000, sets: 1 },
  { title: "Pods of 100 ReplicaSets", nodes: 5000, running: 0, pods: 5000, sets: 100 },
  { title: "Pods of 1,000 ReplicaSets", nodes: 5000, running: 0, pods: 5000, sets: 1000 },
  { title: "Pods of 100 ReplicaSets beside 95,000", nodes: 5000, running: 95_000, pods: 5000, sets: 100 },
  { title: "Pods spread over zones", nodes: 5000, running: 0, pods: 5000, sets: 1, spec: spread },
  { title: "Pods that keep apart", nodes: 5000, running: 0, pods: 4900, sets: 1, spec: apart },
];

/** `npm run bench -- schedule`: what it costs the scheduler to place 5,000 Pods at 5,000 nodes, without store and log. */
export function runSchedulingBench(rounds: number): void {
  // Code that is compiled while it runs begins slowly.
  runPlan(cases[0] as PlanOptions);
  process.stdout.write("processor time in ms: planning, longest pass, taking in changes\n");
  for (const one of cases) {
    const runs = Array.from({ length: rounds }, () => runPlan(one));
    const [plan, longest, learn] = [
      median(runs.map(({ planMs }) => planMs)),
      median(runs.map(({ longestPassMs }) => longestPassMs)),
      median(runs.map(({ learnMs }) => learnMs)),
    ].map((ms) => String(Math.round(ms)).padStart(7));
    process.stdout.write(`${one.title.padEnd(40)} ${plan} ${longest} ${learn}\n`);
  }
}
