import type Dockerode from "dockerode";
import type { PublishedPort, SandboxSettings } from "../core/runtime.js";

/** The machine's own resolver. */
export interface Resolver {
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
}

/** What a sandbox has beyond other containers; containers that join its network get its name, hosts and resolver with it. */
export function sandboxForm(
  settings: SandboxSettings,
  resolver: Resolver,
): { readonly container: Partial<Dockerode.ContainerCreateOptions>; readonly host: Dockerode.HostConfig } {
  const { hostname, domain, network, ipc, publishedPorts, hostAliases, sysctls } = settings;
  return {
    container: {
      ...(hostname !== undefined && { Hostname: hostname }),
      ...(domain !== undefined && { Domainname: domain }),
      ExposedPorts: Object.fromEntries(publishedPorts.map((port) => [portKey(port), {}])),
    },
    host: {
      ...(network === "node" && { NetworkMode: "host" }),
      ...(ipc === "node" && { IpcMode: "host" }),
      PortBindings: portBindings(publishedPorts),
      ...dnsForm(settings, resolver),
      ...(hostAliases.length > 0 && {
        ExtraHosts: hostAliases.flatMap(({ ip, hostnames }) => hostnames.map((name) => `${name}:${ip}`)),
      }),
      ...(sysctls.length > 0 && { Sysctls: Object.fromEntries(sysctls) }),
    },
  };
}

function dnsForm({ dns }: SandboxSettings, resolver: Resolver): Dockerode.HostConfig {
  if (dns === undefined) return {};
  const own = dns.fromMachine ? resolver : { nameservers: [], searches: [] };
  const searches = [...new Set([...own.searches, ...dns.searches])];
  return {
    Dns: [...new Set([...own.nameservers, ...dns.nameservers])].slice(0, nameserversMax),
    // Without any the engine would take the machine's; a dot stands for none.
    DnsSearch: searches.length > 0 ? searches : ["."],
    DnsOptions: [...dns.options],
  };
}

/** What the C library's resolver reads. */
const nameserversMax = 3;

function portKey(port: { readonly containerPort: number; readonly protocol: string }): string {
  return `${port.containerPort}/${port.protocol.toLowerCase()}`;
}

function portBindings(ports: readonly PublishedPort[]): Record<string, { HostIp: string; HostPort: string }[]> {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const port of ports) {
    (bindings[portKey(port)] ??= []).push({ HostIp: port.hostIP, HostPort: String(port.hostPort) });
  }
  return bindings;
}
