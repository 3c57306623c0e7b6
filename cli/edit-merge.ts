import { sameJson } from "../src/api/json.js";
import { IkadaError } from "../src/base/errors.js";

/** What an edit changes, as an RFC 7386 merge patch: null for what is gone, lists as a whole. */
export type Changes = Readonly<Record<string, unknown>>;

/** The merge patch that makes `after` of `before`; empty when they are the same. */
export function changesBetween(before: Changes, after: Changes): Changes {
  const changes: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, fresh] = [own(before, key), own(after, key)];
    if (fresh === undefined || fresh === null) {
      if (old !== undefined && old !== null) changes[key] = null;
    } else if (isRecord(old) && isRecord(fresh)) {
      const inner = changesBetween(old, fresh);
      if (Object.keys(inner).length > 0) changes[key] = inner;
    } else if (!sameJson(old, fresh)) changes[key] = fresh;
  }
  return changes;
}

/** The paths of fields that both change, and not to the same. */
export function overlapOf(ours: Changes, theirs: Changes, path: readonly string[] = []): (readonly string[])[] {
  return Object.keys(ours).flatMap((key) => {
    if (!Object.hasOwn(theirs, key)) return [];
    const place = [...path, key];
    const [mine, other] = [ours[key], theirs[key]];
    if (isRecord(mine) && isRecord(other)) return overlapOf(mine, other, place);
    return sameJson(mine, other) ? [] : [place];
  });
}

/** `metadata.labels[a.b/c]` */
export function fieldText(path: readonly string[]): string {
  return path.map((step, index) => (/^[\w-]+$/.test(step) ? `${index === 0 ? "" : "."}${step}` : `[${step}]`)).join("");
}

/**
 * @throws IkadaError BadRequest when the changes touch what makes an object this object, or what only the cluster writes
 */
export function checkEditable(changes: Changes, hasStatus: boolean): void {
  const metadata = isRecord(changes["metadata"]) ? changes["metadata"] : {};
  const fixed = [
    ...["apiVersion", "kind"].filter((field) => Object.hasOwn(changes, field)),
    ...["name", "namespace", "uid", "resourceVersion", "creationTimestamp", "generation", "deletionTimestamp"]
      .filter((field) => Object.hasOwn(metadata, field))
      .map((field) => `metadata.${field}`),
  ];
  if (Object.hasOwn(changes, "metadata") && !isRecord(changes["metadata"])) fixed.push("metadata");
  if (fixed.length > 0)
    throw new IkadaError("BadRequest", `${fixed.join(", ")} can't be edited: it is what makes this object this one`, {
      hint: "put it back as it was; to make another object, use apply",
    });
  if (hasStatus && Object.hasOwn(changes, "status"))
    throw new IkadaError("BadRequest", "status can't be edited: the cluster reports it", {
      hint: "put it back as it was",
    });
}

function own(value: Changes, key: string): unknown {
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

function isRecord(value: unknown): value is Changes {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
