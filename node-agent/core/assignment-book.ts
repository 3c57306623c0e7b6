import type { ConfigMap, Secret } from "../../src/api/kinds/core.js";
import type { Pod } from "../../src/api/kinds/pod.js";

/** What a server tells the agent to run, decoded. */
export interface Assignments {
  readonly type: "complete" | "increment";
  readonly term: number;
  readonly appliesTo: number;
  readonly resultsIn: number;
  readonly pods: readonly { readonly uid: string; readonly pod: Pod }[];
  readonly removedUids: readonly string[];
  readonly objects: readonly AssignedObject[];
  readonly removedObjects: readonly ObjectName[];
}

export interface ObjectName {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export interface AssignedObject extends ObjectName {
  readonly object: ConfigMap | Secret;
}

/** All that this node is to run, as of (term, revision). Immutable; the stored form too. */
export interface Book {
  readonly clusterId: string;
  readonly nodeUid: string;
  readonly term: number;
  readonly revision: number;
  /** By uid. */
  readonly pods: Readonly<Record<string, Pod>>;
  /** By `Kind/namespace/name`. */
  readonly objects: Readonly<Record<string, ConfigMap | Secret>>;
}

export const emptyBook: Book = { clusterId: "", nodeUid: "", term: 0, revision: 0, pods: {}, objects: {} };

export function objectKey({ kind, namespace, name }: ObjectName): string {
  return `${kind}/${namespace}/${name}`;
}

/**
 * The book after these assignments, or why they are refused; the session is to be opened again then, with another server.
 * Neither term nor revision ever goes back, so a server that fell behind, or was deposed and does not know it, can't undo what a
 * newer one said. `chained`: a complete assignment has come in this session, and every increment since.
 */
export function nextBook(book: Book, message: Assignments, chained: boolean): Book | string {
  const { type, term, appliesTo, resultsIn } = message;
  const at = `term ${term} revision ${resultsIn}`;
  if (term < book.term) return `${at} is of an older term than ${book.term}`;
  if (resultsIn < book.revision) return `${at} is older than revision ${book.revision}`;
  if (type === "increment" && !chained) return `${at}: an increment before the complete assignment`;
  if (type === "increment" && appliesTo !== book.revision) {
    return `${at}: an increment to revision ${appliesTo}, and revision ${book.revision} was reached`;
  }
  const complete = type === "complete";
  const pods: Record<string, Pod> = complete ? {} : { ...book.pods };
  const objects: Record<string, ConfigMap | Secret> = complete ? {} : { ...book.objects };
  for (const uid of message.removedUids) delete pods[uid];
  for (const name of message.removedObjects) delete objects[objectKey(name)];
  for (const { uid, pod } of message.pods) pods[uid] = pod;
  for (const assigned of message.objects) objects[objectKey(assigned)] = assigned.object;
  return { ...book, term, revision: resultsIn, pods, objects };
}
