import { createReadStream, statSync } from "node:fs";
import type { Command } from "commander";
import type { NodeImage } from "../../sdk/index.js";
import { IkadaError } from "../../src/base/errors.js";
import { Failures } from "../failures.js";
import { formatTable, harmless } from "../output.js";
import { withSession, type Session } from "../session.js";

/** Nodes that an archive goes to at once. */
const nodesAtOnceMax = 4;

/** `ikada image load | ls`: images on nodes, without a registry. */
export function addImage(program: Command): void {
  const image = program.command("image").description("images on Nodes");

  image
    .command("load")
    .description("bring an archive of `docker save` to all Nodes, without a registry")
    .argument("<file>", "archive: docker save -o FILE IMAGE...")
    .option("--node <names...>", "to these Nodes alone")
    .action((file: string, { node }: { node?: string[] }, command: Command) =>
      withSession(command, async (session) => {
        const found = statSync(file, { throwIfNoEntry: false });
        if (found === undefined) throw new IkadaError("NotFound", `there is no file ${file}`);
        if (!found.isFile()) throw new IkadaError("BadRequest", `${file} is no file`);
        await loadOnAll(session, file, node ?? (await allNodes(session)));
      }),
    );

  image
    .command("ls")
    .alias("list")
    .description("the images that Nodes have")
    .option("--node <name>", "of this Node alone")
    .option("--no-headers", "without the line of headers")
    .action(({ node, headers }: { node?: string; headers: boolean }, command: Command) =>
      withSession(command, async ({ client, signal, deadlineMs }) => {
        const { items, unreached } = await client.images.list({ ...(node && { node }), signal, deadlineMs });
        const rows = items.flatMap(rowsOf).sort((left, right) => (left.join("\0") < right.join("\0") ? -1 : 1));
        const head = ["IMAGE", "ID", "NODE", "SIZE", "IN USE", "BY IKADA"];
        if (rows.length > 0) process.stdout.write(formatTable(headers ? [head, ...rows] : rows));
        else process.stderr.write("No images found.\n");
        for (const { node: name, message } of unreached)
          process.stderr.write(`node ${harmless(name)}: ${harmless(message)}\n`);
      }),
    );
}

async function allNodes({ client, signal, deadlineMs }: Session): Promise<string[]> {
  const names: string[] = [];
  for await (const { metadata } of client.nodes.list({ signal, deadlineMs })) names.push(metadata.name);
  if (names.length === 0) throw new IkadaError("NotFound", "there are no Nodes", { hint: "start an agent first" });
  return names;
}

/** A Node that can't be reached keeps no other from its image. @throws Failures at the end */
async function loadOnAll({ client, signal }: Session, file: string, nodes: readonly string[]): Promise<void> {
  const errors: IkadaError[] = [];
  const waiting = [...new Set(nodes)];
  const worker = async (): Promise<void> => {
    for (let node = waiting.shift(); node !== undefined; node = waiting.shift()) {
      const archive = createReadStream(file, { highWaterMark: 256 * 1024 });
      try {
        const names = await client.images.load(node, archive, { signal });
        for (const name of names) process.stdout.write(`${harmless(node)}: loaded ${harmless(name)}\n`);
      } catch (caught) {
        const { reason, message, details } = IkadaError.from(caught);
        errors.push(new IkadaError(reason, `node ${node}: ${message}`, details, caught));
      } finally {
        archive.destroy();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(nodesAtOnceMax, waiting.length) }, worker));
  if (errors.length > 0) throw new Failures(errors);
}

function rowsOf({ node, id, tags, digests, sizeBytes, inUse, own }: NodeImage): string[][] {
  const names = tags.length > 0 ? tags : digests.length > 0 ? digests : ["<none>"];
  const shortId = id.replace(/^sha256:/, "").slice(0, 12);
  const size = `${(sizeBytes / 1e6).toFixed(1)}MB`;
  return names.map((name) => [name, shortId, node, size, yes(inUse), yes(own)].map(harmless));
}

function yes(is: boolean): string {
  return is ? "yes" : "no";
}
