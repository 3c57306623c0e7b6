import { createHash } from "node:crypto";
import { BackupFile, type ByteSource } from "../../store/backup/file.js";
import { decodeVersion } from "../../store/codec.js";
import type { KeyValuePair } from "../../store/key-value.js";
import { objectKeyspace, parseVersionKey, rowKind } from "../../store/layout.js";
import type { BackupAbout } from "../../store/store.js";
import { parseStoreKey } from "../objects/keys.js";

/** Objects of a kind in a namespace, without their history. */
export interface KindCount {
  /** `deployments.apps` */
  readonly kind: string;
  /** Empty for kinds without namespaces. */
  readonly namespace: string;
  readonly count: number;
  /** Of their values. */
  readonly bytes: number;
}

/** What is in a backup that is whole. */
export interface Inspection {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly about: BackupAbout;
  readonly chunks: number;
  readonly rows: number;
  readonly rowBytes: number;
  readonly objects: readonly KindCount[];
  /** Keys beside the objects: the servers' address book. */
  readonly others: number;
  readonly etcdKeys: number;
  readonly leases: number;
  /** Clients in the exactly-once table. */
  readonly clients: number;
  /** Former versions and deletions, in both keyspaces. */
  readonly history: number;
}

/** Reads it all. @throws IkadaError Invalid, Damaged, Unsupported */
export function inspectBackup(source: ByteSource): Inspection {
  const whole = createHash("sha256");
  const digest = createHash("sha256");
  const backup = new BackupFile(source, {
    update: (bytes) => {
      whole.update(bytes);
      digest.update(bytes);
    },
    digest: () => {
      const ended = digest.digest();
      whole.update(ended);
      return ended;
    },
  });
  const counts = new Counts();
  for (const row of backup.rows()) counts.add(row);
  const { about, totals } = backup;
  const sha256 = whole.digest("hex");
  return { file: source.name, bytes: source.size, sha256, about, ...totals, ...counts.end() };
}

/** Versions of a key come in ascending order, so the last one before another key is the present one. */
class Counts {
  readonly #kinds = new Map<string, { kind: string; namespace: string; count: number; bytes: number }>();
  #newest: { readonly keyspace: number; readonly key: string; readonly value: Uint8Array } | undefined;
  #others = 0;
  #etcdKeys = 0;
  #leases = 0;
  #clients = 0;
  #history = 0;

  add({ key, value }: KeyValuePair): void {
    const kind = rowKind(key);
    if (kind === "lease") this.#leases += 1;
    if (kind === "client") this.#clients += 1;
    if (kind !== "version") return;
    const place = { keyspace: key[1] as number, key: parseVersionKey(key).key };
    if (this.#newest?.key === place.key && this.#newest.keyspace === place.keyspace) this.#history += 1;
    else this.#settle();
    this.#newest = { ...place, value };
  }

  end(): Omit<Inspection, "file" | "bytes" | "sha256" | "about" | "chunks" | "rows" | "rowBytes"> {
    this.#settle();
    const objects = [...this.#kinds.values()];
    const [others, etcdKeys, leases, clients] = [this.#others, this.#etcdKeys, this.#leases, this.#clients];
    return { objects, others, etcdKeys, leases, clients, history: this.#history };
  }

  #settle(): void {
    if (!this.#newest) return;
    const { keyspace, key, value: row } = this.#newest;
    const { version, value } = decodeVersion(row);
    if (version === 0) this.#history += 1;
    else if (keyspace !== objectKeyspace) this.#etcdKeys += 1;
    else this.#count(key, value.length);
  }

  #count(key: string, bytes: number): void {
    const [, root, group = "", plural = ""] = key.split("/");
    if (root !== "objects") {
      this.#others += 1;
      return;
    }
    const { namespace } = parseStoreKey(key);
    const kind = group === "core" ? plural : `${plural}.${group}`;
    const known = this.#kinds.get(`${kind}/${namespace}`) ?? { kind, namespace, count: 0, bytes: 0 };
    known.count += 1;
    known.bytes += bytes;
    this.#kinds.set(`${kind}/${namespace}`, known);
  }
}
