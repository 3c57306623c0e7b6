import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { Readable } from "node:stream";
import type Docker from "dockerode";
import { pack } from "tar-stream";
import { IkadaError } from "../../src/base/errors.js";

/** Statically linked, from Debian's package busybox-static. */
const busyboxPath = "/bin/busybox";

/**
 * Makes an image named `reference` (`name:tag`) out of the machine's static busybox, where it is not there: for
 * examples and tests on machines that reach no registry. Holds /bin with a link for every applet, /www and /tmp.
 */
export async function ensureBusyboxImage(docker: Docker, reference: string): Promise<void> {
  if (await hasImage(docker, reference)) return;
  if (!existsSync(busyboxPath)) {
    throw new IkadaError("NotFound", `${busyboxPath} is not there, and image ${reference} is made from it`, {
      hint: "install Debian's busybox-static, or tag an image with a shell and httpd as this name",
    });
  }
  const applets = execFileSync(busyboxPath, ["--list"], { encoding: "utf8" })
    .split("\n")
    .filter((name) => name !== "" && name !== "busybox");
  const tar = pack();
  for (const folder of ["bin", "tmp", "www", "etc"])
    tar.entry({ name: `${folder}/`, type: "directory", mode: folder === "tmp" ? 0o1777 : 0o755 });
  tar.entry({ name: "bin/busybox", mode: 0o755 }, readFileSync(busyboxPath));
  for (const applet of applets) tar.entry({ name: `bin/${applet}`, type: "symlink", linkname: "busybox" });
  tar.entry({ name: "etc/passwd" }, "root:x:0:0:root:/:/bin/sh\n");
  tar.finalize();
  const [repo, tag] = splitReference(reference);
  const answer = await docker.importImage(Readable.from(tar), { repo, tag, changes: 'ENV PATH=/bin\nCMD ["/bin/sh"]' });
  await new Promise<void>((resolve, reject) =>
    docker.modem.followProgress(answer, (error) => (error ? reject(error) : resolve())),
  );
}

function splitReference(reference: string): [string, string] {
  const colon = reference.lastIndexOf(":");
  return [reference.slice(0, colon), reference.slice(colon + 1)];
}

async function hasImage(docker: Docker, reference: string): Promise<boolean> {
  try {
    await docker.getImage(reference).inspect();
    return true;
  } catch (caught) {
    if ((caught as { statusCode?: number }).statusCode === 404) return false;
    throw caught;
  }
}
