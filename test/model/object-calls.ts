import type { ConfigMap } from "../../sdk/index.js";
import type { Call } from "./recorded.js";

export const namespace = "default";
/** All objects of the run have it. */
export const ownLabel = "model=run";
export const halves = ["a", "b"] as const;

/** What counts of a ConfigMap. */
export interface Content {
  readonly half: string;
  readonly data: Readonly<Record<string, string>>;
}

/** One version of an object. */
export interface Version extends Content {
  readonly uid: string;
  readonly revision: number;
}

export interface NamedVersion extends Version {
  readonly name: string;
}

export type ObjectCall = WriteCall | DeleteCall | CollectionCall | GetCall | ListCall | HistoryCall;

export type WriteVerb = "create" | "update" | "merge patch" | "json patch" | "strategic patch" | "apply" | "undo";

export interface WriteCall extends Call {
  readonly f: "write";
  readonly verb: WriteVerb;
  readonly name: string;
  /** Written by this call alone. */
  readonly token: string;
  readonly half: string;
  readonly dryRun: boolean;
  /** Only over this revision. */
  readonly over?: number;
  /** Of a JSON patch: the value that it tests for. */
  readonly test?: string;
  /** Of `apply`. */
  readonly manager?: string;
  /** Of `undo`. */
  readonly to?: number;
  answer?: Version & { readonly created: boolean; readonly changed: boolean };
}

export interface DeleteCall extends Call {
  readonly f: "delete";
  readonly name: string;
  readonly dryRun: boolean;
  readonly over?: number;
  answer?: { readonly uid: string; readonly revision: number; readonly removed: boolean };
}

export interface CollectionCall extends Call {
  readonly f: "collection";
  readonly half: string;
  readonly dryRun: boolean;
  readonly onlyUnchanged: boolean;
  /** Who matched at this revision; 0: at the present one. */
  readonly since: number;
  answer?: readonly { readonly name: string; readonly uid: string; readonly state: string }[];
}

export interface GetCall extends Call {
  readonly f: "get";
  readonly name: string;
  readonly local: boolean;
  /** 0: the present. */
  readonly past: number;
  answer?: Version;
}

export interface ListCall extends Call {
  readonly f: "list";
  /** Empty: both. */
  readonly half: string;
  readonly pageSize: number;
  readonly past: number;
  readonly local: boolean;
  answer?: readonly NamedVersion[];
}

export interface HistoryCall extends Call {
  readonly f: "history";
  readonly name: string;
  readonly pageSize: number;
  answer?: readonly { readonly type: string; readonly revision: number; readonly uid: string }[];
}

export function versionOf({ metadata, data }: ConfigMap): Version {
  return {
    half: metadata.labels?.["half"] ?? "",
    data: data ?? {},
    uid: metadata.uid ?? "",
    revision: Number(metadata.resourceVersion ?? 0),
  };
}

export function namedVersionOf(object: ConfigMap): NamedVersion {
  return { ...versionOf(object), name: object.metadata.name };
}

/** In one line, that begins with the half. */
export function contentText({ half, data, uid }: Omit<Version, "revision">): string {
  return `${half}|${uid}|${dataText(data)}`;
}

export function dataText(data: Content["data"]): string {
  return JSON.stringify(Object.entries(data).sort(([left], [right]) => (left < right ? -1 : 1)));
}

/** What a write makes of what is there; undefined: it has to be refused. `past`: what an undo goes back to. */
export function written(call: WriteCall, before: Version | undefined, past: Version | undefined): Content | undefined {
  const { verb, token, half, over, test, manager } = call;
  if (over !== undefined && before?.revision !== over) return undefined;
  const whole = { half, data: { value: token } };
  switch (verb) {
    case "create":
      return before ? undefined : whole;
    case "update":
      return before && whole;
    case "merge patch":
      return before && { half: before.half, data: without({ ...before.data, value: token }, "extra") };
    case "json patch":
      return before?.data["value"] === test && before
        ? { half: before.half, data: { ...before.data, extra: token } }
        : undefined;
    case "strategic patch":
      return before && { half, data: { ...before.data, strategic: token } };
    case "apply":
      return { half, data: { ...before?.data, [`by-${manager}`]: token } };
    default:
      return past && (!before || before.uid === past.uid) ? past : undefined;
  }
}

function without(data: Content["data"], name: string): Content["data"] {
  return Object.fromEntries(Object.entries(data).filter(([key]) => key !== name));
}
