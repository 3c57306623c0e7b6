import type { KindDefinition } from "../src/api/kind.js";
import { IkadaError } from "../src/base/errors.js";
import { shortName, type Session } from "./session.js";
import type { TimeLimit } from "./time-limit.js";

/** An object that is on its way out. */
export interface Doomed {
  readonly kind: KindDefinition;
  readonly namespace: string;
  readonly name: string;
  /** Another one with its name is not waited for. */
  readonly uid?: string;
}

/** @throws IkadaError Deadline when it is still there at the end of the limit */
export async function waitUntilGone({ client }: Session, doomed: Doomed, limit: TimeLimit): Promise<void> {
  const { kind, namespace, name, uid } = doomed;
  let there = false;
  const scope = { namespace, fieldSelector: `metadata.name=${name}`, signal: limit.signal };
  try {
    for await (const event of client.watch(kind, scope)) {
      if (event.type === "ADDED") there = uid === undefined || event.object.metadata.uid === uid;
      if (event.type === "DELETED" || (event.type === "BOOKMARK" && !there)) break;
    }
  } catch (caught) {
    if (!limit.expired) throw caught;
    throw new IkadaError(
      "Deadline",
      `${shortName(kind, name)} is still terminating`,
      { hint: `see 'ikada describe ${kind.singular} ${name}'` },
      caught,
    );
  }
}
