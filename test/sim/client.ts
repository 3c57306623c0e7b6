import type { Operation, Txn, TxnResult } from "../../store/store.js";
import type { ListRecord, ReadRecord, Recorded, WriteRecord } from "./history.js";
import { PatientClient, type PatientOptions } from "./patient-client.js";
import type { SimulatedReplica } from "./simulated-replica.js";
import { Violation } from "./violation.js";

export interface ClientOptions extends PatientOptions {
  readonly history: Recorded[];
  readonly lists: ListRecord[];
}

/**
 * One user of the store: one request at a time, each sent to another replica when no answer comes, with the same
 * client id and sequence, so that it happens once.
 */
export class Client extends PatientClient {
  readonly #options: ClientOptions;
  readonly #lastSeen = new Map<string, number>();
  #sequence = 0;
  #values = 0;

  constructor(options: ClientOptions) {
    super(options);
    this.#options = options;
  }

  protected request(): void {
    const { random, swarm } = this.#options;
    if (!random.chance(swarm.readShare)) this.#write();
    else if (random.chance(0.2)) this.#list();
    else this.#read();
  }

  #read(): void {
    const { history, name, world, random } = this.#options;
    const key = this.#key();
    const read: ReadRecord = {
      type: "read",
      client: name,
      key,
      calledAt: world.timeUs,
      returnedAt: Infinity,
      record: undefined,
      revision: 0,
    };
    history.push(read);
    this.attempt(random.int(this.replicas.length), (replica, answered) => {
      replica.store?.barrierThen(
        (error, revision) => {
          if (error || !answered()) return;
          const { store } = replica;
          if (!store) return;
          read.record = store.peek(key);
          read.revision = store.revision();
          read.returnedAt = world.timeUs;
          if (read.revision < revision) {
            throw new Violation(
              "R9 linearizable",
              `a barrier gave revision ${revision}, the replica is at ${read.revision}`,
            );
          }
          this.#lastSeen.set(key, read.record?.modRevision ?? 0);
          this.finish(true);
        },
        { deadlineMs: this.deadlineMs() },
      );
    });
  }

  /** One page of the present or of a past revision, which may be on disk only. */
  #list(): void {
    const { lists, name, random } = this.#options;
    this.attempt(random.int(this.replicas.length), (replica, answered) => {
      const { store } = replica;
      if (!store) return;
      const query = {
        prefix: random.pick(["", "key-"]),
        limit: random.between(1, 4),
        ...(random.chance(0.5) ? { after: this.#key() } : {}),
        ...(random.chance(0.8) ? { revision: random.between(1, store.revision() + 1) } : {}),
      };
      store.rangeThen(
        query,
        (error, result) => {
          if (error || !answered()) return;
          lists.push({ client: name, query, result });
          this.finish(true);
        },
        { deadlineMs: this.deadlineMs() },
      );
    });
  }

  #write(): void {
    const { history, name, world, random } = this.#options;
    this.#sequence++;
    const write: WriteRecord = {
      type: "write",
      client: name,
      sequence: this.#sequence,
      txn: this.#txn(),
      calledAt: world.timeUs,
      returnedAt: Infinity,
      result: undefined,
    };
    history.push(write);
    this.attempt(random.int(this.replicas.length), (replica, answered) => {
      this.#send(replica, write, (result) => {
        if (!answered()) return;
        write.result = result;
        write.returnedAt = world.timeUs;
        const changed = result.succeeded ? write.txn.success : write.txn.failure;
        for (const { key, type } of changed) this.#lastSeen.set(key, type === "put" ? result.revision : 0);
        if (random.chance(0.1)) this.#sendAgain(write);
        this.finish(true);
      });
    });
  }

  #send(replica: SimulatedReplica, write: WriteRecord, answered: (result: TxnResult) => void): void {
    const client = { id: write.client, sequence: write.sequence };
    replica.store?.writeThen(
      { txns: [write.txn], client, origin: "simulation" },
      (error, results) => {
        const [result] = error ? [] : results;
        if (result) answered(result);
      },
      { deadlineMs: this.deadlineMs() },
    );
  }

  /** An answered request once more: it must be answered the same and do nothing. */
  #sendAgain(write: WriteRecord): void {
    const { world, random } = this.#options;
    const replica = random.pick(this.replicas);
    world.after(random.int(50_000), () => {
      if (!replica.process.alive) return;
      this.#send(replica, write, (result) => {
        if (result.revision === write.result?.revision && result.succeeded === write.result.succeeded) return;
        throw new Violation(
          "R8 acknowledged writes",
          `write ${write.client}:${write.sequence} was answered ${JSON.stringify(write.result)}, then ${JSON.stringify(result)}`,
        );
      });
    });
  }

  #key(): string {
    return `key-${this.#options.random.int(this.#options.swarm.keys)}`;
  }

  #txn(): Txn {
    const { random } = this.#options;
    const key = this.#key();
    const kind = random.next();
    if (kind < 0.45) return { compares: [], success: [this.#put(key)], failure: [] };
    if (kind < 0.55) return { compares: [], success: [{ type: "delete", key }], failure: [] };
    if (kind < 0.65) {
      const keys = [...new Set([key, this.#key()])];
      return { compares: [], success: keys.map((each) => this.#put(each)), failure: [] };
    }
    const operand = this.#lastSeen.get(key) ?? 0;
    const failure: Operation[] = random.chance(0.2) ? [this.#put(key)] : [];
    return {
      compares: [{ key, target: "modRevision", operator: "=", operand }],
      success: [random.chance(0.1) ? { type: "delete", key } : this.#put(key)],
      failure,
    };
  }

  /** Every value is written once in a world. */
  #put(key: string): Operation {
    const { name, random, swarm } = this.#options;
    this.#values++;
    const padding = "x".repeat(random.int(swarm.valueBytesMax));
    return { type: "put", key, value: new TextEncoder().encode(`${name}:${this.#values}:${padding}`), revisionAt: -1 };
  }
}
