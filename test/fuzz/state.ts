import { qualifiedPlural } from "../../src/api/kind.js";
import { kinds } from "../../src/api/registry.js";
import { canonicalJson } from "../../src/api/json.js";
import type { AnyObject } from "../../src/api/object.js";
import { IkadaError } from "../../src/base/errors.js";
import type { Client } from "../../sdk/index.js";
import type { Harness } from "../e2e/harness.js";
import { namespaces } from "./objects.js";

/** The namespaces that fuzzed objects go to. */
export async function prepare(client: Client): Promise<void> {
  for (const name of namespaces)
    await client.apply(
      { apiVersion: "v1", kind: "Namespace", metadata: { name } },
      { fieldManager: "fuzz", force: true },
    );
}

/** Removes what fuzzed requests have made; whatever others change meanwhile is the next time's. */
export async function sweep(client: Client): Promise<void> {
  for (const kind of kinds) {
    for await (const { metadata } of client.list(qualifiedPlural(kind))) {
      if (kind.kind === "Namespace" && !metadata.name.startsWith("fuzz")) continue;
      const where = metadata.namespace === undefined ? {} : { namespace: metadata.namespace };
      await unlessGone(async () => {
        if (metadata.finalizers !== undefined)
          await client.patch(qualifiedPlural(kind), metadata.name, { metadata: { finalizers: null } }, where);
        await client.delete(qualifiedPlural(kind), metadata.name, {
          ...where,
          gracePeriodSeconds: 0,
          propagation: "Orphan",
        });
      });
    }
  }
  await untilPrepared(client);
}

/** A namespace that is being deleted has to be gone before it can be made again. */
async function untilPrepared(client: Client): Promise<void> {
  const until = performance.now() + 30_000;
  for (;;) {
    try {
      return await prepare(client);
    } catch (caught) {
      if (performance.now() > until) throw caught;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

async function unlessGone(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (caught) {
    const { reason } = IkadaError.from(caught);
    if (reason !== "NotFound" && reason !== "Conflict" && reason !== "Invalid" && reason !== "Forbidden") throw caught;
  }
}

/** Compares what the servers have when nobody writes any more. Gives how many objects that is. */
export async function checkState(harness: Harness, onFault: (fault: string) => void): Promise<number> {
  let count = 0;
  await harness
    .eventually("the same objects on all servers", async () => {
      const texts = new Set<string>();
      for (const { name } of harness.cluster.servers) {
        const objects = await objectsOf(harness, name);
        count = objects.length;
        texts.add(canonicalJson(objects));
      }
      return texts.size === 1;
    })
    .catch((caught: unknown) => onFault(`the servers' states differ: ${IkadaError.from(caught).message}`));
  return count;
}

async function objectsOf(harness: Harness, server: string): Promise<AnyObject[]> {
  const client = await harness.clientOf(server);
  const objects: AnyObject[] = [];
  try {
    for (const kind of kinds)
      for await (const object of client.list(qualifiedPlural(kind), { local: true })) objects.push(object);
  } finally {
    await client.close();
  }
  return objects;
}
