import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createAuthority, issueCertificate } from "../../src/host/pki.js";
import type { Identity as TlsIdentity } from "../../src/host/tls.js";
import { Harness } from "../e2e/harness.js";
import { fuzzNode } from "./messages.js";
import type { Identity, Port } from "./requests.js";

/** A running cluster as its enemies see it. */
export interface Site {
  readonly harness: Harness;
  /** PEM */
  readonly authority: string;
  readonly token: string;
  readonly identities: Readonly<Partial<Record<Identity, TlsIdentity>>>;
  /** `host:port` of each server's listeners. */
  readonly addresses: readonly Readonly<Record<Port, string>>[];
}

/** Three servers without agents; the caller closes the harness. */
export async function openSite(): Promise<Site> {
  const harness = await Harness.start({ servers: 3, agents: 0, runtime: "fake" });
  try {
    const { folder, servers } = harness.cluster;
    const read = (name: string): string => readFileSync(join(folder, "pki", name), "utf8").trim();
    const authority = { certificate: read("ca.pem"), key: read("ca.key") };
    const issue = (role: "node" | "server" | "user", name: string): Promise<TlsIdentity> =>
      issueCertificate(authority, { role, name, addresses: role === "server" ? ["localhost"] : [], days: 1 });
    const foreign = await createAuthority("another cluster");
    return {
      harness,
      authority: authority.certificate,
      token: read("admin.token"),
      identities: {
        node: await issue("node", fuzzNode),
        server: await issue("server", "server-99"),
        user: await issue("user", "fuzz"),
        foreign: await issueCertificate(foreign, {
          role: "server",
          name: "server-1",
          addresses: ["localhost"],
          days: 1,
        }),
      },
      addresses: servers.map(({ api, agents, replicas, raft }) => ({ api, agents, replicas, raft })),
    };
  } catch (caught) {
    await harness.close();
    throw caught;
  }
}
