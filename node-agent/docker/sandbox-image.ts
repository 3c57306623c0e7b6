import { createHash } from "node:crypto";
import { pack } from "tar-stream";
import { pauseProgram, type MachineArchitecture } from "./pause-program.js";

/** Changes with the content, so that agents of different versions can share one engine. */
export const sandboxImageReference = "ikada/sandbox:2";

/**
 * The sandbox image as a tar that `docker load` takes (Docker image specification v1.2: manifest.json, configuration, layer).
 * The same bytes on every machine, so the image has the same id everywhere and loading it twice, even at once, changes nothing.
 */
export async function sandboxImageArchive(architecture: MachineArchitecture): Promise<Buffer> {
  const layer = await tarOf([{ name: "pause", mode: 0o755, content: Buffer.from(pauseProgram(architecture)) }]);
  const configuration = Buffer.from(
    JSON.stringify({
      architecture,
      os: "linux",
      created: "1970-01-01T00:00:00Z",
      config: { Entrypoint: ["/pause"], WorkingDir: "/", StopSignal: "SIGTERM" },
      rootfs: { type: "layers", diff_ids: [`sha256:${sha256(layer)}`] },
      history: [{ created: "1970-01-01T00:00:00Z", created_by: "ikada" }],
    }),
  );
  const configurationName = `${sha256(configuration)}.json`;
  const manifest = [{ Config: configurationName, RepoTags: [sandboxImageReference], Layers: ["layer.tar"] }];
  return tarOf([
    { name: configurationName, mode: 0o644, content: configuration },
    { name: "layer.tar", mode: 0o644, content: layer },
    { name: "manifest.json", mode: 0o644, content: Buffer.from(JSON.stringify(manifest)) },
  ]);
}

interface TarFile {
  readonly name: string;
  readonly mode: number;
  readonly content: Buffer;
}

async function tarOf(files: readonly TarFile[]): Promise<Buffer> {
  const archive = pack();
  for (const { name, mode, content } of files) archive.entry({ name, mode, mtime: new Date(0) }, content);
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
