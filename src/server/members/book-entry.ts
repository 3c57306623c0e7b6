import type { MemberAddresses } from "../replica-status.js";

/** One server in the address book. */
export interface BookEntry extends MemberAddresses {
  readonly removed: boolean;
}

/** Beside the objects, where no kind's prefix reaches. */
export const membersPrefix = "/cluster/members/";

const format = 1;

const fields = ["name", "api", "agents", "replicas", "raft"] as const;

/** Whether two of one server say the same of its name and of where it is reached. */
export function isSameEntry(left: MemberAddresses, right: MemberAddresses): boolean {
  return fields.every((field) => left[field] === right[field]);
}

export function entryKey(id: number): string {
  return `${membersPrefix}${id}`;
}

export function encodeEntry({ id, name, api, agents, replicas, raft, removed }: BookEntry): Uint8Array {
  const json = { format, id, name, api, agents, replicas, raft, ...(removed && { removed }) };
  return new TextEncoder().encode(JSON.stringify(json));
}

/** Undefined for what no version up to this one wrote. */
export function decodeEntry(bytes: Uint8Array): BookEntry | undefined {
  let value: Partial<BookEntry & { readonly format: number }>;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes)) as typeof value;
  } catch {
    return undefined;
  }
  const { id, name, api, agents, replicas, raft, removed = false } = value;
  const texts = [name, api, agents, replicas, raft];
  if (value.format !== format || typeof id !== "number" || texts.some((text) => typeof text !== "string"))
    return undefined;
  return { id, name: name!, api: api!, agents: agents!, replicas: replicas!, raft: raft!, removed };
}
