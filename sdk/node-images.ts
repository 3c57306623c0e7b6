import { IkadaError } from "../src/base/errors.js";
import { apiMethods } from "../src/host/api-methods.js";
import type { Stats } from "./access-options.js";
import { streamTriesMax, type Calls } from "./calls.js";
import { Deadline, type CallOptions } from "./deadline.js";

const messageBytesMax = 64 * 1024;

/** Of which Nodes. */
export interface ImageListOptions extends CallOptions {
  /** Only this Node. @default all */
  readonly node?: string;
}

/** An image that a Node has. */
export interface NodeImage {
  /** Where it is. */
  readonly node: string;
  /** The engine's: a hash of what is in it. */
  readonly id: string;
  /** `repository:tag` */
  readonly tags: readonly string[];
  /** `repository@sha256:…`, as a registry knows it; none when it came from a file. */
  readonly digests: readonly string[];
  /** On disk, without what it shares with others taken off. */
  readonly sizeBytes: number;
  /** A container was made from it. */
  readonly inUse: boolean;
  /** Ikada brought it, and removes it when the disk gets full. */
  readonly own: boolean;
}

/**
 * Images of Nodes, through any server.
 *
 * @example
 * const { items, unreached } = await client.images.list();
 * for (const { node, tags, sizeBytes } of items) console.log(node, tags.join(), sizeBytes);
 * for (const { node, message } of unreached) console.error(node, message);
 */
export class NodeImages {
  readonly #calls: Calls;

  /** @internal */
  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /**
   * Brings an archive as `docker save` writes it to one Node, without a registry; resolves with the names of its images when all is there.
   * @throws IkadaError NotFound, BadRequest when it is no such archive, Unavailable when the Node is away
   */
  async load(node: string, archive: AsyncIterable<Uint8Array>, options: CallOptions = {}): Promise<readonly string[]> {
    const deadline = new Deadline(options);
    for (let tries = 1; ; tries += 1) {
      let sent = false;
      const onSent = (): void => {
        sent = true;
      };
      const call = { request: { open: { node } }, input: pieces(archive), onSent };
      const { address, messages } = this.#calls.duplex(apiMethods.loadImages, call, deadline, tries);
      try {
        const answer = await messages.next();
        if (answer.done) throw new IkadaError("Unavailable", "the server did not say that all was loaded");
        return answer.value.images;
      } catch (caught) {
        if (sent || tries >= streamTriesMax) throw caught;
        await this.#calls.next(IkadaError.from(caught), address, tries, deadline);
      } finally {
        await messages.return();
      }
    }
  }

  /** What the engines of Nodes have, also what others brought there. @throws IkadaError NotFound for a name that is not there */
  async list(options: ImageListOptions = {}): Promise<Stats<NodeImage>> {
    const answer = await this.#calls.unary(apiMethods.listImages, { node: options.node ?? "" }, options);
    const items = answer.images.map(({ node, id, tags, digests, sizeBytes, inUse, own }) => ({
      node: node ?? "",
      id: id ?? "",
      tags: tags ?? [],
      digests: digests ?? [],
      sizeBytes: sizeBytes ?? 0,
      inUse: inUse ?? false,
      own: own ?? false,
    }));
    const unreached = answer.unreached.map(({ node, message }) => ({ node: node ?? "", message: message ?? "" }));
    return { items, unreached };
  }
}

async function* pieces(archive: AsyncIterable<Uint8Array>): AsyncGenerator<{ data: Uint8Array } | { end: true }> {
  for await (const chunk of archive)
    for (let at = 0; at < chunk.length; at += messageBytesMax) yield { data: chunk.subarray(at, at + messageBytesMax) };
  yield { end: true };
}
