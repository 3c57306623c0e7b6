import type { AnyObject } from "../../../src/api/object.js";
import type { Changes } from "../../../src/objects/changes.js";
import type { ObjectKey } from "../../../src/objects/snapshot.js";
import type { PatientOptions } from "../patient-client.js";
import { ClusterClient, creating, deleting, updating } from "./cluster-client.js";
import type { Wishes, WorkloadKind } from "./workload.js";

/** One object that a user wants, changes and deletes. */
export interface Workload {
  readonly kind: WorkloadKind;
  readonly key: ObjectKey;
  /** The last wish is answered. */
  settled: boolean;
}

/** A user with some workloads, of which nobody else knows. */
export class WorkloadClient extends ClusterClient {
  readonly workloads: readonly Workload[];
  readonly #wishes: Wishes;
  /** Only last wishes from now on. */
  #settling = false;

  constructor(
    options: PatientOptions & { readonly nowOf: (replica: number) => number },
    wishes: Wishes,
    workloads: readonly Workload[],
  ) {
    super(options);
    this.#wishes = wishes;
    this.workloads = workloads;
  }

  /** Makes its last wishes, one for each workload, and rests. */
  override insist(): void {
    this.#settling = true;
    // One may be under way that is none of them.
    super.insist(this.workloads.length + 1);
  }

  override get rests(): boolean {
    return super.rests || (this.#settling && this.workloads.every(({ settled }) => settled));
  }

  protected request(): void {
    const { random } = this.site;
    const workload = this.#settling ? this.workloads.find(({ settled }) => !settled) : random.pick(this.workloads);
    if (!workload) throw new Error("a client that rests makes no request");
    const last = this.#settling;
    const isDeleted = !last && random.chance(0.12);
    const propagation = random.pick(["Background", "Background", "Foreground"] as const);
    this.perform(
      workload.key,
      (live, now) => {
        if (live === undefined && (last ? workload.kind.lasts !== true : isDeleted)) return undefined;
        if (live === undefined) return creating(this.#create(workload), now, random);
        // A user waits for the end of what is being deleted, and makes it anew then.
        if (live.metadata.deletionTimestamp !== undefined) return undefined;
        if (isDeleted) return deleting(live, now, propagation);
        return this.#next(workload, live, now);
      },
      () => {
        if (last) workload.settled = true;
      },
    );
  }

  #create({ kind, key }: Workload): AnyObject {
    return kind.create(this.#wishes, key.name);
  }

  #next({ kind }: Workload, live: AnyObject, now: number): Changes | undefined {
    if (this.#settling) {
      const wanted = kind.settle(this.#wishes, live);
      return wanted === undefined ? deleting(live, now) : updating(live, wanted);
    }
    const wanted = kind.change(this.#wishes, live);
    return wanted === undefined ? deleting(live, now) : updating(live, wanted);
  }
}
