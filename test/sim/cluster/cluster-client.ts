import { withDefaults } from "../../../src/api/defaults.js";
import type { AnyObject } from "../../../src/api/object.js";
import { validateChange, validateObject } from "../../../src/api/validate.js";
import type { Changes } from "../../../src/objects/changes.js";
import { deleteObject, updateOrFinish } from "../../../src/objects/delete-object.js";
import { decodeRecord } from "../../../src/objects/encode.js";
import { storeKey } from "../../../src/objects/keys.js";
import { newObject } from "../../../src/objects/new-object.js";
import type { ObjectKey } from "../../../src/objects/snapshot.js";
import { changesToTxn, isEmpty, noChanges } from "../../../src/objects/transaction.js";
import { updatedObject } from "../../../src/objects/update-object.js";
import type { Replica } from "../../../store/replica.js";
import { PatientClient, type PatientOptions } from "../patient-client.js";
import { Violation } from "../violation.js";

/** What a request does to the object as it is now; undefined: nothing is to be done. Gets the wall time of the server that is asked. */
export type Decide = (live: AnyObject | undefined, now: number) => Changes | undefined;

/** One who changes objects as the API's services do: reads after a barrier, decides, writes with compares, and decides again when somebody was faster. */
export abstract class ClusterClient extends PatientClient {
  protected readonly site: PatientOptions & { readonly nowOf: (replica: number) => number };
  #sequence = 0;

  constructor(options: PatientOptions & { readonly nowOf: (replica: number) => number }) {
    super(options);
    this.site = options;
  }

  /** Asks until it is done, and calls `done` then; with what was written, if anything was. */
  protected perform(key: ObjectKey, decide: Decide, done: (changes: Changes | undefined) => void): void {
    const { name, world, random } = this.site;
    const sequence = ++this.#sequence;
    this.attempt(random.int(this.replicas.length), (replica, answered) => {
      const { store } = replica;
      const deadlineMs = this.deadlineMs();
      store?.barrierThen(
        (error) => {
          if (error) return;
          const changes = decide(read(store, key), this.site.nowOf(replica.id));
          if (changes === undefined || isEmpty(changes)) {
            // What an earlier try wrote is there by now, or there is nothing to write.
            if (answered()) this.#finished(undefined, done);
            return;
          }
          const request = {
            txns: [changesToTxn(changes)],
            origin: `admin:${name}`,
            client: { id: name, sequence },
          };
          store.writeThen(
            request,
            (refused, results) => {
              if (refused || !answered()) return;
              if (results[0]?.succeeded) this.#finished(changes, done);
              else world.after(random.int(20_000), () => this.perform(key, decide, done));
            },
            { deadlineMs },
          );
        },
        { deadlineMs },
      );
    });
  }

  #finished(changes: Changes | undefined, done: (changes: Changes | undefined) => void): void {
    done(changes);
    this.finish(true);
  }
}

function read(store: Replica, key: ObjectKey): AnyObject | undefined {
  const record = store.peek(storeKey(key));
  return record && decodeRecord(record);
}

/** As src/server/resources/create.ts. */
export function creating(wanted: AnyObject, now: number, random: PatientOptions["random"]): Changes {
  const object = newObject(withDefaults(wanted), now, random);
  const [fault] = validateObject(object);
  if (fault) throw new Violation("crash", `a user made an invalid object: ${fault.field}: ${fault.message}`);
  return { ...noChanges, creates: [object] };
}

/** As src/server/resources/update.ts. */
export function updating(live: AnyObject, wanted: AnyObject): Changes | undefined {
  const updated = updatedObject(live, withDefaults(wanted));
  if (updated === live) return undefined;
  const [fault] = validateChange(live, updated);
  if (fault) throw new Violation("crash", `a user made an invalid change: ${fault.field}: ${fault.message}`);
  return updateOrFinish(updated);
}

/** As src/server/resources/delete.ts. */
export function deleting(
  live: AnyObject,
  now: number,
  propagation: "Background" | "Foreground" | "Orphan" = "Background",
): Changes | undefined {
  const { changes } = deleteObject(live, { propagation }, now);
  return isEmpty(changes) ? undefined : changes;
}
