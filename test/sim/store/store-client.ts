import { IkadaError } from "../../../src/base/errors.js";
import type { Done } from "../../../src/base/env.js";
import type { Replica } from "../../../store/replica.js";
import { PatientClient, type PatientOptions } from "../patient-client.js";
import { Violation } from "../violation.js";
import type { Asked, CommandAsked, LookAsked, PastAnswer, PastAsked, PastQuestion, WriteAsked } from "./asked.js";
import type { Draws } from "./draws.js";
import type { LeaderLeases } from "./leader-leases.js";

export interface StoreClientOptions extends PatientOptions {
  readonly draws: Draws;
  readonly asked: Asked[];
  readonly leasesOf: (replica: number) => LeaderLeases | undefined;
}

/** One who does all that the store can: transactions in both keyspaces, reads of the present and of the past, compactions, leases. */
export class StoreClient extends PatientClient {
  readonly #options: StoreClientOptions;
  #sequence = 0;
  /** Times of changes that it has heard of. */
  readonly #times: number[] = [];

  constructor(options: StoreClientOptions) {
    super(options);
    this.#options = options;
  }

  protected request(): void {
    const { random } = this.#options;
    this.#sequence++;
    const draw = random.next();
    if (draw < 0.27) this.#write();
    else if (draw < 0.55) this.#command();
    else if (draw < 0.6) this.#compact();
    else if (draw < 0.75) this.#look();
    else this.#past();
  }

  get #name(): string {
    return `${this.#options.name}:${this.#sequence}`;
  }

  #begin(name = this.#name): { readonly name: string; readonly calledAt: number; returnedAt: number } {
    return { name, calledAt: this.#options.world.timeUs, returnedAt: Infinity };
  }

  #write(): void {
    const { asked, name, world, random, draws } = this.#options;
    const txns = Array.from({ length: random.pick([1, 1, 2, 3]) }, () => draws.txn(this.#revision()));
    const write: WriteAsked = {
      ...this.#begin(),
      type: "write",
      client: name,
      sequence: this.#sequence,
      txns,
      results: undefined,
    };
    asked.push(write);
    this.attempt(random.int(this.replicas.length), ({ store }, answered) => {
      const client = { id: write.client, sequence: write.sequence };
      store?.writeThen(
        { txns, client, origin: write.name },
        (error, results) => {
          if (error || !answered()) return;
          write.results = results;
          write.returnedAt = world.timeUs;
          this.finish(true);
        },
        { deadlineMs: this.deadlineMs() },
      );
    });
  }

  #command(): void {
    const { asked, world, random, draws } = this.#options;
    let attempts = 0;
    this.attempt(random.int(this.replicas.length), ({ store }, answered) => {
      if (!store) return;
      attempts++;
      // The store can't know that it is the same: what was asked before may happen too.
      const question: CommandAsked = {
        ...this.#begin(`${this.#name}.${attempts}`),
        type: "command",
        command: draws.command(store.etcd.revision()),
        outcome: undefined,
      };
      asked.push(question);
      store.etcd.executeThen(
        question.command,
        question.name,
        (error, outcome) => {
          if (error || !answered()) return;
          question.outcome = outcome;
          question.returnedAt = world.timeUs;
          this.finish(true);
        },
        { deadlineMs: this.deadlineMs() },
      );
    });
  }

  #compact(): void {
    const { random, world } = this.#options;
    const ofEtcd = random.chance(0.5);
    this.attempt(random.int(this.replicas.length), ({ store }, answered) => {
      const keyspace = ofEtcd ? store?.etcd : store;
      if (!keyspace) return;
      const [start, end] = [keyspace.compactRevision(), keyspace.revision()];
      const to = random.chance(0.2) ? end : random.between(start, Math.max(start, end - random.int(8)));
      const done: Done<void> = (error) => {
        if (error || !answered()) return;
        if (keyspace.compactRevision() < to)
          world.fail(new Violation("past", `compacted to ${to}, history starts at ${keyspace.compactRevision()}`));
        this.finish(true);
      };
      keyspace.compactThen(to, done, { deadlineMs: this.deadlineMs() });
    });
  }

  /** The present, as a replica has it that has asked the leader; and a word to the leader's clock of leases. */
  #look(): void {
    const { asked, world, random, draws, leasesOf } = this.#options;
    const question: LookAsked = {
      ...this.#begin(),
      type: "look",
      key: draws.key(),
      txn: draws.reading(this.#revision()),
      answer: undefined,
    };
    asked.push(question);
    this.attempt(random.int(this.replicas.length), ({ store, id }, answered) => {
      if (!store) return;
      if (draws.leases.length > 0 && random.chance(0.3)) leasesOf(id)?.renew(random.pick(draws.leases.slice(-4)));
      store.barrierThen(
        (error) => {
          if (error || !answered()) return;
          const { etcd } = store;
          const { leases } = etcd;
          question.answer = {
            index: store.appliedIndex(),
            revision: store.revision(),
            etcdRevision: etcd.revision(),
            record: store.peek(question.key),
            outcome: etcd.read(question.txn),
            leases: leases
              .ids()
              .map((lease) => ({ id: lease, ttlSeconds: leases.ttlSeconds(lease) ?? 0, keys: leases.keys(lease) })),
          };
          question.returnedAt = world.timeUs;
          this.finish(true);
        },
        { deadlineMs: this.deadlineMs() },
      );
    });
  }

  #past(): void {
    const { asked, world, random } = this.#options;
    this.attempt(random.int(this.replicas.length), ({ store }, answered) => {
      if (!store) return;
      const what = this.#pastQuestion(store);
      const keyspace = what.of === "range" ? store.etcd : store;
      const question: PastAsked = {
        ...this.#begin(),
        type: "past",
        what,
        revision: keyspace.revision(),
        floor: keyspace.compactRevision(),
        answer: undefined,
      };
      asked.push(question);
      this.#ask(store, what, (error, answer) => {
        // A refusal of what is compacted is an answer; any other is none.
        const refusal = error instanceof IkadaError && error.reason === "Compacted" ? error : undefined;
        if ((error && !refusal) || !answered()) return;
        const floor = keyspace.compactRevision();
        const start = refusal?.details.revision ?? 0;
        question.answer = refusal ? { of: "refusal", start, floor } : { ...answer, floor };
        question.returnedAt = world.timeUs;
        this.finish(true);
      });
    });
  }

  #pastQuestion(store: Replica): PastQuestion {
    const { random, draws } = this.#options;
    const draw = random.next();
    const revision = random.between(1, store.revision() + 1);
    if (draw < 0.3) {
      const after = random.chance(0.3) ? { after: draws.key() } : {};
      return { of: "list", query: { prefix: draws.prefix(), limit: random.between(1, 6), revision, ...after } };
    }
    if (draw < 0.6) {
      const past = Math.max(1, random.between(1, Math.max(1, store.etcd.revision())));
      return { of: "range", query: { ...draws.range(), revision: past, limit: 0, countOnly: false } };
    }
    if (draw < 0.85) {
      const before = random.chance(0.4) ? { before: random.between(1, store.revision() + 1) } : {};
      return { of: "changes", query: { key: draws.key(), limit: random.between(1, 5), ...before } };
    }
    const time = this.#times.length > 0 ? random.pick(this.#times.slice(-20)) : 1_640_995_200_000;
    return { of: "revisionAt", timeMs: Math.max(0, time + random.pick([0, 0, -1, 1, 10, -10, 100_000])) };
  }

  /** A reading of the past waits for nothing that a barrier would wait for. */
  #ask(store: Replica, what: PastQuestion, done: (error: Error | null, answer: AnswerOf) => void): void {
    switch (what.of) {
      case "list":
        return store.rangeThen(what.query, (error, result) => done(error, { of: "list", result }), {
          deadlineMs: this.deadlineMs(),
        });
      case "range":
        return store.etcd.rangeThen(what.query, (error, { records }) => done(error, { of: "range", records }));
      case "changes":
        return store.changesThen(what.query, (error, result) => {
          if (!error) this.#times.push(...result.changes.map(({ timeMs }) => timeMs));
          done(error, { of: "changes", result });
        });
      default:
        return store.revisionAtThen(what.timeMs, (error, revision) => done(error, { of: "revisionAt", revision }));
    }
  }

  /** What a replica that answers has. */
  #revision(): number {
    return this.replicas.find(({ store }) => store)?.store?.revision() ?? 0;
  }
}

type AnswerOf = PastAnswer extends infer Answer ? (Answer extends unknown ? Omit<Answer, "floor"> : never) : never;
