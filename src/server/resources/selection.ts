import type { KindDefinition } from "../../api/kind.js";
import type { AnyObject } from "../../api/object.js";
import { matchesFields, parseFieldSelector } from "../../api/field-selector.js";
import { matchesSelector, parseLabelSelector } from "../../api/selector.js";
import { IkadaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { decodeRecord } from "../../objects/encode.js";
import { kindPrefix } from "../../objects/keys.js";
import type { KeyRecord } from "../../../store/store.js";
import { findRequestedKind } from "./requested-kind.js";

/** Which objects a list or watch asks for. */
export interface Selection {
  readonly kind: KindDefinition;
  /** All keys that can match start with it. */
  readonly prefix: string;
  matches(record: KeyRecord): boolean;
}

export interface SelectionRequest {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly namespace: string;
  readonly labelSelector: string;
  readonly fieldSelector: string;
}

/** @throws IkadaError UnknownKind, BadRequest */
export function selectionOf(request: SelectionRequest): Selection {
  const kind = findRequestedKind(request);
  for (const text of [request.labelSelector, request.fieldSelector]) {
    if (text.length > limits.selectorLengthMax) {
      throw new IkadaError(
        "TooLarge",
        `a selector of ${text.length} characters; ${limits.selectorLengthMax} are allowed`,
      );
    }
  }
  const labels = parseLabelSelector(request.labelSelector);
  const fields = parseFieldSelector(request.fieldSelector, kind);
  const everything = (labels.matchExpressions ?? []).length === 0 && fields.length === 0;
  return {
    kind,
    prefix: kindPrefix(kind, request.namespace === "" ? undefined : request.namespace),
    matches: (record) => {
      if (everything) return true;
      const object = parsed(record);
      return matchesSelector(labels, object.metadata.labels) && matchesFields(fields, object);
    },
  };
}

/** The object in a record; parsed once for all watchers that look at the same record. */
export function parsed(record: KeyRecord): AnyObject {
  const known = parsedRecords.get(record);
  if (known) return known;
  const object = decodeRecord(record);
  parsedRecords.set(record, object);
  return object;
}

const parsedRecords = new WeakMap<KeyRecord, AnyObject>();
