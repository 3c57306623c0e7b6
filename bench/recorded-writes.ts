import { createHash } from "node:crypto";
import { IkadaError } from "../src/base/errors.js";
import type { Client } from "../sdk/index.js";

const namespace = "default";

/** An object that the cluster said it has. */
export interface AcknowledgedWrite {
  readonly name: string;
  readonly revision: number;
  /** Of its text. */
  readonly digest: string;
}

/** Creates objects, and remembers what was acknowledged. */
export class RecordedWrites {
  readonly acknowledged: AcknowledgedWrite[] = [];
  readonly #running: Promise<void>[] = [];
  readonly #clients: Client[] = [];
  #isOver = false;
  #failure: unknown;

  async create(client: Client, name: string, text: string): Promise<void> {
    const { object } = await client.configMaps.create(
      { metadata: { name, namespace }, data: { text } },
      { deadlineMs: 60_000 },
    );
    this.acknowledged.push({ name, revision: Number(object.metadata.resourceVersion), digest: digestOf(text) });
  }

  /** One object after the other until `stop`; what fails after it was not acknowledged. `stopped` closes the client. */
  keepWriting(client: Client, writer: number): void {
    const run = async (): Promise<void> => {
      try {
        for (let at = 0; !this.#isOver; at += 1) await this.create(client, `writer-${writer}-${at}`, `text ${at}`);
      } catch (caught) {
        if (!this.#isOver) this.#failure ??= caught;
      }
    };
    this.#clients.push(client);
    this.#running.push(run());
  }

  stop(): void {
    this.#isOver = true;
  }

  /** @throws what a write failed with before `stop` */
  async stopped(): Promise<void> {
    for (const client of this.#clients) await client.close();
    await Promise.all(this.#running);
    if (this.#failure !== undefined) throw IkadaError.from(this.#failure);
  }
}

export interface Comparison {
  /** Acknowledged up to the revision, and so to be found. */
  readonly expected: number;
  readonly lost: readonly string[];
  /** Acknowledged behind the revision. */
  readonly later: number;
  /** Found with other contents or at another revision, or found although written later. */
  readonly changed: readonly string[];
}

/** Whether the cluster has what was acknowledged up to `revision`, as it was written, and nothing of what came later. */
export async function compareWrites(
  client: Client,
  acknowledged: readonly AcknowledgedWrite[],
  revision: number,
): Promise<Comparison> {
  const found = new Map<string, AcknowledgedWrite>();
  for await (const { metadata, data } of client.configMaps.list({ namespace, deadlineMs: 120_000 })) {
    const { name, resourceVersion } = metadata;
    found.set(name!, { name: name!, revision: Number(resourceVersion), digest: digestOf(data?.["text"] ?? "") });
  }
  const expected = acknowledged.filter((write) => write.revision <= revision);
  const later = acknowledged.filter((write) => write.revision > revision);
  const lost = expected.filter(({ name }) => !found.has(name)).map(({ name }) => name);
  const changed = expected.filter((write) => {
    const there = found.get(write.name);
    return there && (there.digest !== write.digest || there.revision !== write.revision);
  });
  const early = later.filter(({ name }) => found.has(name));
  return {
    expected: expected.length,
    lost,
    later: later.length,
    changed: [...changed, ...early].map(({ name }) => name),
  };
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}
