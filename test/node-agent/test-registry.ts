import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";

/** Whom a private registry lets in. */
export const registryUser = { username: "puller", password: "s3cret-of-the-registry" };

async function tarOf(files: Readonly<Record<string, string | Buffer>>): Promise<Buffer> {
  const archive = pack();
  for (const [name, content] of Object.entries(files)) archive.entry({ name, mtime: new Date(0) }, content);
  archive.finalize();
  const pieces: Buffer[] = [];
  for await (const piece of archive) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

async function tinyImage(text: string): Promise<{ config: Buffer; layer: Buffer }> {
  const layer = await tarOf({ "text.txt": text });
  const config = {
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    config: { Cmd: ["/text.txt"] },
    rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
  };
  return { config: Buffer.from(JSON.stringify(config)), layer };
}

/** An archive as `docker save` writes it, of one image with one small file. */
export async function savedImage(name: string, text: string): Promise<Buffer> {
  const { config, layer } = await tinyImage(text);
  const manifest = [{ Config: "config.json", RepoTags: [name], Layers: ["layer.tar"] }];
  return tarOf({ "config.json": config, "layer.tar": layer, "manifest.json": JSON.stringify(manifest) });
}

/** The reading half of the Docker Registry API v2, at 127.0.0.1, with images made in the test. Engines take plain HTTP there. */
export class TestRegistry {
  readonly #server: Server;
  readonly #isPrivate: boolean;
  readonly #blobs = new Map<string, Buffer>();
  /** By `repository:tag` and `repository:digest`. */
  readonly #manifests = new Map<string, Buffer>();

  /** A private one wants `registryUser` for everything: engines ask once for all repositories of a host whether they have to say who they are. */
  constructor(isPrivate: boolean) {
    this.#isPrivate = isPrivate;
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Sets a tag to an image with this text in it; gives its digest. */
  async push(repository: string, tag: string, text: string): Promise<string> {
    const { config, layer } = await tinyImage(text);
    const zipped = gzipSync(layer);
    for (const blob of [config, zipped]) this.#blobs.set(digestOf(blob), blob);
    const part = (mediaType: string, bytes: Buffer) => ({ mediaType, size: bytes.length, digest: digestOf(bytes) });
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: manifestType,
        config: part("application/vnd.docker.container.image.v1+json", config),
        layers: [part("application/vnd.docker.image.rootfs.diff.tar.gzip", zipped)],
      }),
    );
    for (const name of [tag, digestOf(manifest)]) this.#manifests.set(`${repository}:${name}`, manifest);
    return digestOf(manifest);
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #answer({ url = "", method, headers }: IncomingMessage, response: ServerResponse): void {
    const token = Buffer.from(`${registryUser.username}:${registryUser.password}`).toString("base64");
    const isKnown = headers.authorization === `Basic ${token}`;
    if (this.#isPrivate && !isKnown) {
      const errors = [{ code: "UNAUTHORIZED", message: "authentication required" }];
      response.writeHead(401, { "WWW-Authenticate": 'Basic realm="test"', "Content-Type": "application/json" });
      response.end(JSON.stringify({ errors }));
      return;
    }
    const [, repository = "", kind = "", name = ""] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(url) ?? [];
    const found = kind === "manifests" ? this.#manifests.get(`${repository}:${name}`) : this.#blobs.get(name);
    if (url === "/v2/") response.end("{}");
    else if (found === undefined) {
      response.writeHead(404, { "Content-Type": "application/json" });
      response.end(JSON.stringify({ errors: [{ code: "MANIFEST_UNKNOWN", message: "manifest unknown" }] }));
    } else {
      response.writeHead(200, {
        "Content-Type": kind === "manifests" ? manifestType : "application/octet-stream",
        "Content-Length": found.length,
        "Docker-Content-Digest": digestOf(found),
      });
      response.end(method === "HEAD" ? undefined : found);
    }
  }
}

const manifestType = "application/vnd.docker.distribution.manifest.v2+json";
