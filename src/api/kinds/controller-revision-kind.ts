import type { KindDefinition } from "../kind.js";
import type { OwnerReference } from "../object.js";
import { countAt, listAt } from "../path.js";
import { any, immutable, int64, object, required } from "../schema.js";
import { typeMeta } from "./metadata-schema.js";
import { ageColumn, column, countColumn, nameColumn } from "./shared-columns.js";

export const controllerRevisionKind: KindDefinition = {
  group: "apps",
  version: "v1",
  kind: "ControllerRevision",
  plural: "controllerrevisions",
  singular: "controllerrevision",
  shortNames: [],
  categories: [],
  namespaced: true,
  nameFormat: "dnsSubdomain",
  hasStatus: false,
  hasScale: false,
  selectableFields: [],
  schema: object({ ...typeMeta, data: immutable(required(any())), revision: required(int64()) }),
  columns: [
    nameColumn,
    column("Controller", "Whose revision it is", (revision) => {
      const owners = listAt(revision, "metadata", "ownerReferences") as readonly OwnerReference[];
      const owner = owners.find(({ controller }) => controller === true);
      if (owner === undefined) return "<none>";
      const [group] = owner.apiVersion.split("/v");
      return `${owner.kind.toLowerCase()}.${group}/${owner.name}`;
    }),
    countColumn("Revision", "Its number", (revision) => String(countAt(revision, "revision"))),
    ageColumn,
  ],
};
