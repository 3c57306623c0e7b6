import type { KindDefinition } from "../kind.js";
import { textAt } from "../path.js";
import { int32, object, required, string, time } from "../schema.js";
import { typeMeta } from "./metadata-schema.js";
import { ageSince, column, countColumn, nameColumn, wide } from "./shared-columns.js";

const objectReference = object(
  {
    apiVersion: string(),
    kind: string(),
    namespace: string(),
    name: string(),
    uid: string(),
    resourceVersion: string(),
    fieldPath: string(),
  },
  { atomic: true },
);

export const eventKind: KindDefinition = {
  group: "",
  version: "v1",
  kind: "Event",
  plural: "events",
  singular: "event",
  shortNames: ["ev"],
  categories: [],
  namespaced: true,
  nameFormat: "dnsSubdomain",
  hasStatus: false,
  hasScale: false,
  selectableFields: [
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
  ],
  schema: object({
    ...typeMeta,
    involvedObject: required(objectReference),
    reason: string({ lengthMax: 128 }),
    message: string({ lengthMax: 1024 }),
    type: string({ enum: ["Normal", "Warning"] }),
    count: int32(),
    firstTimestamp: time(),
    lastTimestamp: time(),
    source: object({ component: string(), host: string() }),
    action: string({ lengthMax: 128 }),
    eventTime: time({ micro: true }),
    related: objectReference,
    reportingComponent: string(),
    reportingInstance: string({ lengthMax: 128 }),
    series: object({ count: int32(), lastObservedTime: time({ micro: true }) }),
  }),
  columns: [
    column("Last Seen", "Time since it was last seen", (object, now) =>
      ageSince(
        textAt(object, ["lastTimestamp"], textAt(object, ["eventTime"], textAt(object, ["firstTimestamp"]))),
        now,
      ),
    ),
    column("Type", "Normal or Warning", (object) => textAt(object, ["type"])),
    column("Reason", "Short reason for machines", (object) => textAt(object, ["reason"])),
    column("Object", "What it is about", (object) => {
      const about = (field: string): string => textAt(object, ["involvedObject", field]);
      return `${about("kind").toLowerCase()}/${about("name")}`;
    }),
    wide(column("Subobject", "Part of the object", (object) => textAt(object, ["involvedObject", "fieldPath"]))),
    wide(
      column("Source", "Who told", (object) => {
        const host = textAt(object, ["source", "host"]);
        const component = textAt(object, ["source", "component"], textAt(object, ["reportingComponent"]));
        return host === "" ? component : `${component}, ${host}`;
      }),
    ),
    column("Message", "What happened", (object) => textAt(object, ["message"]).trim()),
    wide(
      column("First Seen", "Time since it was first seen", (object, now) =>
        ageSince(textAt(object, ["firstTimestamp"], textAt(object, ["eventTime"])), now),
      ),
    ),
    wide(countColumn("Count", "How often it was seen", (object) => textAt(object, ["count"], "1"))),
    wide(nameColumn),
  ],
  rules(event, faults) {
    const namespace = textAt(event, ["metadata", "namespace"]);
    const about = textAt(event, ["involvedObject", "namespace"], "default");
    if (namespace !== about)
      faults.push({
        field: "involvedObject.namespace",
        reason: "Invalid",
        message: `an Event lives in the Namespace of its object, or in default for objects without one, not in "${namespace}"`,
      });
  },
};
