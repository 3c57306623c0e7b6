import { capabilities } from "../../src/api/kinds/safe-lists.js";
import type { FakePlace } from "./fake-program.js";
import type { FakeMounts } from "./fake-volumes.js";
import type { ContainerSecurity, ContainerSpec, DnsSettings, SandboxSettings } from "./runtime.js";

/** What Docker would put around a container: files that it makes or that the kernel shows, and who it is. */
export function fakePlace(
  spec: ContainerSpec,
  sandbox: ContainerSpec | undefined,
  imageUser: string,
  mounts: FakeMounts,
): FakePlace {
  const settings = spec.sandbox ?? sandbox?.sandbox;
  const [uid = "0", gid = "0"] = (spec.security.user ?? imageUser).split(":").map((id) => id || "0");
  const groups = [...new Set([gid, ...spec.security.supplementalGroups.map(String)])];
  const hostname = settings?.hostname ?? "fake-machine";
  const files = new Map([
    ["/proc/self/status", statusFile(spec.security, uid === "0")],
    ["/etc/hosts", hostsFile(settings, hostname)],
    ["/etc/resolv.conf", resolverFile(settings?.dns)],
  ]);
  for (const [name, value] of settings?.sysctls ?? [])
    files.set(`/proc/sys/${name.replaceAll(".", "/")}`, `${value}\n`);
  return {
    uid,
    gid,
    groups,
    hostname,
    processId: spec.processes === "own" ? 1 : 7,
    files,
    mounts,
    readOnlyRoot: spec.security.readOnlyRoot,
    messagePath: spec.terminationMessage?.path,
    hasInput: spec.stdin !== "none",
  };
}

/** Docker's own list (moby's oci/caps/defaults.go). */
const engineCapabilities: readonly string[] = [
  "CHOWN",
  "DAC_OVERRIDE",
  "FSETID",
  "FOWNER",
  "MKNOD",
  "NET_RAW",
  "SETGID",
  "SETUID",
  "SETFCAP",
  "SETPCAP",
  "NET_BIND_SERVICE",
  "SYS_CHROOT",
  "KILL",
  "AUDIT_WRITE",
];

function statusFile(security: ContainerSecurity, isRoot: boolean): string {
  const { add, drop } = security.capabilities;
  const all = (names: readonly string[]): readonly string[] => (names.includes("ALL") ? capabilities : names);
  const base = engineCapabilities.filter((name) => !all(drop).includes(name));
  const held = new Set(security.privileged ? capabilities : [...base, ...all(add)]);
  let mask = 0n;
  for (const [bit, name] of capabilities.entries()) if (held.has(name)) mask |= 1n << BigInt(bit);
  return [
    `CapEff:\t${(isRoot ? mask : 0n).toString(16).padStart(16, "0")}`,
    `NoNewPrivs:\t${security.noNewPrivileges ? 1 : 0}`,
    `Seccomp:\t${security.privileged || security.seccomp === "unconfined" ? 0 : 2}`,
    "",
  ].join("\n");
}

function hostsFile(settings: SandboxSettings | undefined, hostname: string): string {
  const aliases = (settings?.hostAliases ?? []).flatMap(({ ip, hostnames }) =>
    hostnames.map((name) => `${ip}\t${name}`),
  );
  const names = settings?.domain === undefined ? hostname : `${hostname}.${settings.domain} ${hostname}`;
  return ["127.0.0.1\tlocalhost", ...aliases, `10.99.0.1\t${names}`, ""].join("\n");
}

function resolverFile(dns: DnsSettings | undefined): string {
  const { fromMachine = true, nameservers = [], searches = [], options = [] } = dns ?? {};
  const servers = [...(fromMachine ? ["192.0.2.1"] : []), ...nameservers].map((address) => `nameserver ${address}`);
  return [
    ...servers,
    ...(searches.length > 0 ? [`search ${searches.join(" ")}`] : []),
    ...(options.length > 0 ? [`options ${options.join(" ")}`] : []),
    "",
  ].join("\n");
}
