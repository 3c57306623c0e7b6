import { type Client, type ConfigMap, type Draft, IkadaError, type Written } from "../../sdk/index.js";
import { unknowns } from "../chaos/recording-client.js";
import type { SeededRandom } from "../sim/random.js";
import {
  type CollectionCall,
  type DeleteCall,
  type GetCall,
  halves,
  type HistoryCall,
  type ListCall,
  namedVersionOf,
  namespace,
  type ObjectCall,
  ownLabel,
  versionOf,
  type WriteCall,
  type WriteVerb,
} from "./object-calls.js";
import type { Call, Recorder } from "./recorded.js";

const deadlineMs = 10_000;
const names = Array.from({ length: 14 }, (_, at) => `c${at.toString().padStart(2, "0")}`);
const managers = ["m1", "m2"] as const;
/** Pages of a history; it gets long. */
const historyMax = 60;

/** One that asks a server alone, or whoever answers. */
export interface NamedClient {
  readonly at: string;
  readonly client: Client;
}

/** What the workers on objects know together. */
export class ObjectSite {
  readonly calls: ObjectCall[] = [];
  readonly recorder: Recorder;
  readonly clients: readonly NamedClient[];
  /** Of the beginning, before the first write. */
  readonly start: number;
  /** The newest revision that was heard of. */
  revision: number;
  /** What was last heard of an object: its revision and value. */
  readonly known = new Map<string, { readonly revision: number; readonly value: string | undefined }>();
  #tokens = 0;

  constructor(recorder: Recorder, clients: readonly NamedClient[], start: number) {
    this.recorder = recorder;
    this.clients = clients;
    this.start = start;
    this.revision = start;
  }

  nextToken(): string {
    this.#tokens += 1;
    return `o${this.#tokens}`;
  }

  /** A revision in the past, mostly near. */
  past(random: SeededRandom): number {
    const oldest = random.chance(0.7) ? Math.max(this.start, this.revision - 200) : this.start;
    return random.between(oldest, this.revision);
  }
}

/** One user of the API, who does one thing after the other through the SDK. */
export class ObjectWorker {
  readonly #name: string;
  readonly #site: ObjectSite;
  readonly #random: SeededRandom;

  constructor(name: string, site: ObjectSite, random: SeededRandom) {
    this.#name = name;
    this.#site = site;
    this.#random = random;
  }

  /** @throws IkadaError for what no fault explains */
  async one(): Promise<void> {
    const random = this.#random;
    const draw = random.next();
    if (draw < 0.13) return this.#write("create");
    if (draw < 0.23) return this.#write("update");
    if (draw < 0.31) return this.#write("merge patch");
    if (draw < 0.37) return this.#write("json patch");
    if (draw < 0.42) return this.#write("strategic patch");
    if (draw < 0.52) return this.#write("apply");
    if (draw < 0.56) return this.#write("undo");
    if (draw < 0.62) return this.#delete();
    if (draw < 0.63) return this.#collection();
    if (draw < 0.82) return this.#get();
    if (draw < 0.97) return this.#list();
    return this.#history();
  }

  async #write(verb: WriteVerb): Promise<void> {
    const site = this.#site;
    const random = this.#random;
    const name = random.pick(names);
    const known = site.known.get(name);
    const dryRun = random.chance(0.08);
    const over = known && (verb === "update" || verb === "merge patch") && random.chance(0.4);
    const call: WriteCall = {
      ...this.#begin(dryRun ? `${verb}, dry run` : verb),
      f: "write",
      verb,
      name,
      token: site.nextToken(),
      half: random.pick(halves),
      dryRun,
      ...(over && { over: known.revision }),
      ...(verb === "json patch" && { test: known?.value ?? "nothing" }),
      ...(verb === "apply" && { manager: random.pick(managers) }),
      ...(verb === "undo" && { to: site.past(random) }),
    };
    await this.#do(call, async (client) => {
      const { object, created, changed } = await send(client, call);
      const version = versionOf(object);
      call.answer = { ...version, created, changed };
      if (!dryRun) {
        site.known.set(name, { revision: version.revision, value: version.data["value"] });
        site.revision = Math.max(site.revision, version.revision);
      }
      if (!dryRun && changed) call.revision = version.revision;
    });
  }

  async #delete(): Promise<void> {
    const random = this.#random;
    const name = random.pick(names);
    const known = this.#site.known.get(name);
    const dryRun = random.chance(0.1);
    const over = known && random.chance(0.4);
    const kind = dryRun ? "delete, dry run" : "delete";
    const call: DeleteCall = {
      ...this.#begin(kind),
      f: "delete",
      name,
      dryRun,
      ...(over && { over: known.revision }),
    };
    await this.#do(call, async (client) => {
      const { object, removed } = await client.configMaps.delete(name, {
        namespace,
        deadlineMs,
        dryRun,
        ...(over && { resourceVersion: String(known.revision) }),
      });
      if (object) {
        const { uid, revision } = versionOf(object);
        call.answer = { uid, revision, removed };
      }
      if (!dryRun) this.#site.known.delete(name);
    });
  }

  async #collection(): Promise<void> {
    const random = this.#random;
    const dryRun = random.chance(0.3);
    const since = random.chance(0.4) ? this.#site.revision : 0;
    const call: CollectionCall = {
      ...this.#begin(dryRun ? "delete collection, dry run" : "delete collection"),
      f: "collection",
      half: random.pick(halves),
      dryRun,
      onlyUnchanged: random.chance(0.4),
      since,
    };
    await this.#do(call, async (client) => {
      const outcomes = await client.configMaps.deleteCollection({
        namespace,
        deadlineMs,
        dryRun,
        onlyUnchanged: call.onlyUnchanged,
        labelSelector: `${ownLabel},half=${call.half}`,
        ...(since > 0 && { revision: since }),
      });
      call.answer = outcomes.map(({ name, uid, state }) => ({ name, uid, state }));
    });
  }

  async #get(): Promise<void> {
    const random = this.#random;
    const name = random.pick(names);
    const past = random.chance(0.4) ? this.#site.past(random) : 0;
    const local = past === 0 && random.chance(0.2);
    const kind = past > 0 ? "get at a past revision" : local ? "get, local" : "get";
    const call: GetCall = { ...this.#begin(kind), f: "get", name, past, local };
    await this.#do(call, async (client) => {
      const at = past > 0 ? { revision: past } : { local };
      const version = versionOf(await client.configMaps.get(name, { namespace, deadlineMs, ...at }));
      call.answer = version;
      if (past === 0) this.#site.known.set(name, { revision: version.revision, value: version.data["value"] });
    });
  }

  async #list(): Promise<void> {
    const random = this.#random;
    const past = random.chance(0.5) ? this.#site.past(random) : 0;
    const local = past === 0 && random.chance(0.2);
    const pageSize = random.pick([0, 0, 1, 3, 5]);
    const half = random.pick(["", "", ...halves]);
    const kind = `list${past > 0 ? " at a past revision" : local ? ", local" : ""}${pageSize > 0 ? " in pages" : ""}`;
    const call: ListCall = { ...this.#begin(kind), f: "list", half, pageSize, past, local };
    await this.#do(call, async (client) => {
      const labelSelector = half === "" ? ownLabel : `${ownLabel},half=${half}`;
      const at = past > 0 ? { revision: past } : { local };
      const found: ConfigMap[] = [];
      let next = "";
      do {
        const page = await client.configMaps.listPage({
          namespace,
          labelSelector,
          deadlineMs,
          pageSize,
          ...at,
          continue: next,
        });
        found.push(...page.objects);
        if (call.revision !== undefined && call.revision !== page.revision)
          throw new Error(`pages of one list are of ${call.revision} and ${page.revision}: ${JSON.stringify(call)}`);
        call.revision = page.revision;
        next = page.next;
      } while (next !== "");
      call.answer = found.map(namedVersionOf);
      this.#site.revision = Math.max(this.#site.revision, call.revision ?? 0);
    });
  }

  async #history(): Promise<void> {
    const random = this.#random;
    const name = random.pick(names);
    const pageSize = random.pick([3, 20]);
    const call: HistoryCall = { ...this.#begin("history"), f: "history", name, pageSize };
    await this.#do(call, async (client) => {
      const changes = [];
      for await (const { type, revision, uid } of client.configMaps.history(name, {
        namespace,
        deadlineMs,
        pageSize,
      })) {
        changes.push({ type, revision, uid });
        if (changes.length === historyMax) break;
      }
      call.answer = changes;
    });
  }

  #begin(kind: string): Call {
    const { recorder, clients } = this.#site;
    const { at } = this.#random.pick(clients);
    return {
      id: recorder.nextId(),
      worker: this.#name,
      at,
      kind,
      calledAt: recorder.now(),
      returnedAt: Infinity,
      outcome: "unknown",
    };
  }

  async #do(call: ObjectCall, run: (client: Client) => Promise<void>): Promise<void> {
    const { recorder, clients, calls } = this.#site;
    calls.push(call);
    try {
      await run(clients.find(({ at }) => at === call.at)!.client);
      call.returnedAt = recorder.now();
      call.outcome = "ok";
    } catch (caught) {
      const error = IkadaError.from(caught);
      call.reason = error.reason;
      if (refusals.has(error.reason)) {
        [call.outcome, call.returnedAt] = ["refused", recorder.now()];
        if (error.details.revision !== undefined) call.revision = error.details.revision;
      } else if (!unknowns.has(error.reason)) throw error;
    } finally {
      recorder.add(call);
    }
  }
}

function send(client: Client, call: WriteCall): Promise<Written<ConfigMap>> {
  const { configMaps } = client;
  const { verb, name, token, half, dryRun, over, test, manager, to } = call;
  const options = { deadlineMs, dryRun };
  const metadata = {
    name,
    namespace,
    labels: { model: "run", half },
    ...(over !== undefined && { resourceVersion: String(over) }),
  };
  const whole: Draft<ConfigMap> = { metadata, data: { value: token } };
  switch (verb) {
    case "create":
      return configMaps.create(whole, options);
    case "update":
      return configMaps.update(whole, options);
    case "merge patch": {
      const revision = over !== undefined && { metadata: { resourceVersion: String(over) } };
      const patch = { data: { value: token, extra: null }, ...revision };
      return configMaps.patch(name, patch, { ...options, namespace });
    }
    case "json patch": {
      const patch = [
        { op: "test", path: "/data/value", value: test },
        { op: "add", path: "/data/extra", value: token },
      ];
      return configMaps.patch(name, patch, { ...options, namespace, type: "json" });
    }
    case "strategic patch": {
      const patch = { metadata: { labels: { half } }, data: { strategic: token } };
      return configMaps.patch(name, patch, { ...options, namespace, type: "strategic" });
    }
    case "apply": {
      const object = { metadata, data: { [`by-${manager}`]: token } };
      return configMaps.apply(object, { ...options, fieldManager: manager!, force: true });
    }
    default:
      return configMaps.undo(name, to!, { ...options, namespace });
  }
}

/** Decided on state as new as the call: it did not happen. */
const refusals: ReadonlySet<string> = new Set(["Conflict", "AlreadyExists", "NotFound", "Compacted", "Invalid"]);
