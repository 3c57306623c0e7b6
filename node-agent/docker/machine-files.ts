import { readFile, realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import { IkadaError } from "../../src/base/errors.js";
import type { Resolver } from "./sandbox-form.js";

/**
 * A profile of system calls from the folder that the machine's owner allowed, as the engine takes it: its JSON.
 * @throws IkadaError Invalid when there is no such folder or file, or it leads out of the folder
 */
export async function seccompProfile(folder: string | undefined, name: string): Promise<string> {
  const what = `seccomp profile "${name}"`;
  if (folder === undefined) {
    throw new IkadaError("Invalid", `${what}: this node has no folder of profiles`, {
      hint: "name one as seccompFolder in the agent's config, or use type RuntimeDefault",
    });
  }
  try {
    const [root, file] = await Promise.all([realpath(folder), realpath(join(folder, name))]);
    if (!file.startsWith(root + sep)) throw new Error("it leads out of the node's folder of profiles");
    const text = await readFile(file, "utf8");
    return JSON.stringify(JSON.parse(text));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new IkadaError("Invalid", `${what}: ${message}`, { hint: "put it into the node's seccompFolder" }, error);
  }
}

/** What this machine's resolv.conf says; nothing when there is none. */
export async function machineResolver(): Promise<Resolver> {
  const text = await readFile("/etc/resolv.conf", "utf8").catch((error: unknown) => {
    if ((error as { code?: unknown }).code === "ENOENT") return "";
    throw error;
  });
  const nameservers: string[] = [];
  let searches: readonly string[] = [];
  for (const line of text.split("\n")) {
    const [keyword, ...words] = line.trim().split(/\s+/);
    if (keyword === "nameserver" && words[0] !== undefined) nameservers.push(words[0]);
    // The last line counts.
    if (keyword === "search" || keyword === "domain") searches = words;
  }
  // A resolver on the machine's own loopback is not reached from a Pod's network.
  return { nameservers: nameservers.filter((address) => !/^(127\.|::1$)/.test(address)), searches };
}
