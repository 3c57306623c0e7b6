import type { ikada } from "#proto/api.js";
import type { Column } from "../../api/kind.js";
import { kinds } from "../../api/registry.js";

/** All kinds this server knows, with what clients need to find and print them. */
export function describeKinds(): ikada.api.v1.IKindsResponse {
  return {
    kinds: kinds.map((kind) => ({
      group: kind.group,
      version: kind.version,
      kind: kind.kind,
      plural: kind.plural,
      singular: kind.singular,
      shortNames: [...kind.shortNames],
      namespaced: kind.namespaced,
      columns: kind.columns.map(columnToWire),
    })),
  };
}

export function columnToWire({ name, type, priority, description }: Column): ikada.api.v1.IColumn {
  return { name, type, priority, description };
}
