import type { Column } from "../kind.js";
import { listAt, textAt, valueAt } from "../path.js";
import { formatLabelSelector } from "../selector.js";
import type { LabelSelector } from "../object.js";
import { formatAge, fromTimestamp } from "../time.js";

export const nameColumn = column("Name", "Name of the object", (object) =>
  textAt(object, ["metadata", "name"], "<none>"),
);

export const ageColumn: Column = {
  ...column("Age", "Time since creation", (object, now) =>
    ageSince(textAt(object, ["metadata", "creationTimestamp"]), now),
  ),
  type: "date",
};

/** Containers and images of the Pod template at this path, for `-o wide`. */
export function templateColumns(...path: readonly string[]): readonly Column[] {
  const ofContainers = (object: unknown, field: string): string =>
    listAt(object, ...path, "spec", "containers")
      .map((container) => textAt(container, [field]))
      .join(",");
  return [
    wide(column("Containers", "Names of the containers", (object) => ofContainers(object, "name"))),
    wide(column("Images", "Images of the containers", (object) => ofContainers(object, "image"))),
  ];
}

/** Containers, images and selector of a workload, for `-o wide`. */
export const workloadColumns: readonly Column[] = [
  ...templateColumns("spec", "template"),
  wide(
    column("Selector", "Selects the Pods", (object) => {
      const selector = valueAt(object, "spec", "selector") as LabelSelector | undefined;
      return selector === undefined ? "<none>" : formatLabelSelector(selector);
    }),
  ),
];

export function column(name: string, description: string, cell: Column["cell"]): Column {
  return { name, type: "string", priority: 0, description, cell };
}

export function countColumn(name: string, description: string, cell: Column["cell"]): Column {
  return { name, type: "integer", priority: 0, description, cell };
}

export function wide(shown: Column): Column {
  return { ...shown, priority: 1 };
}

/** `<unknown>` when there is no such time. */
export function ageSince(timestamp: string, now: number): string {
  const then = fromTimestamp(timestamp);
  return then === undefined ? "<unknown>" : formatAge(now - then);
}
