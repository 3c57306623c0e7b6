import type { Container, Pod, PodSpec } from "../../src/api/kinds/pod.js";
import { milliOf, unitsOf } from "../../src/api/quantity.js";
import { containerSecurity } from "./container-security.js";
import type { Environment } from "./environment.js";
import type { ContainerSecurity, ContainerSpec, DnsSettings, MountedVolume, PublishedPort } from "./runtime.js";
import { specHash } from "./spec-hash.js";

/** The sandbox of a Pod. `image` comes from `ensureSandboxImage`. */
export function sandboxSpec(pod: Pod, attempt: number, image: string): ContainerSpec {
  const { spec } = pod;
  const network = spec.hostNetwork === true ? "node" : "pod";
  return {
    ...identityOf(pod),
    containerName: "",
    role: "sandbox",
    attempt,
    specHash: "sandbox",
    image,
    command: [],
    args: [],
    env: [],
    workingDir: undefined,
    sandbox: {
      ...namesOf(pod),
      network,
      ipc: spec.hostIPC === true ? "node" : "pod",
      // In the machine's own network every port is open on it.
      publishedPorts: network === "node" ? [] : publishedPorts(pod),
      dns: dnsOf(spec),
      hostAliases: (spec.hostAliases ?? []).map(({ ip, hostnames = [] }) => ({ ip, hostnames })),
      sysctls: (spec.securityContext?.sysctls ?? []).map(({ name, value = "" }) => [name, value] as const),
    },
    sandboxId: undefined,
    processes: spec.hostPID === true ? "node" : "own",
    security: pauseSecurity,
    stopSignal: undefined,
    stdin: "none",
    tty: false,
    mounts: [],
    terminationMessage: undefined,
    cpuSharesMilli: undefined,
    cpuLimitMilli: undefined,
    memoryLimitBytes: undefined,
  };
}

/** `image`: what is here for the container's image, and whom its containers run as; "" is root. */
export function containerSpec(
  pod: Pod,
  container: Container,
  attempt: number,
  sandboxId: string,
  environment: Environment,
  image: { readonly reference: string; readonly user: string },
  mounts: readonly MountedVolume[],
): ContainerSpec {
  const { spec } = pod;
  const { requests = {}, limits = {} } = container.resources ?? {};
  const cpuRequest = requests["cpu"] ?? limits["cpu"];
  return {
    ...identityOf(pod),
    containerName: container.name,
    role: "container",
    attempt,
    specHash: specHash(container),
    image: image.reference,
    command: environment.command,
    args: environment.args,
    env: environment.variables,
    workingDir: container.workingDir,
    sandbox: undefined,
    sandboxId,
    processes: spec.hostPID === true ? "node" : spec.shareProcessNamespace === true ? "pod" : "own",
    security: containerSecurity(spec, container, image.user),
    stopSignal: container.lifecycle?.stopSignal,
    stdin: container.stdin !== true ? "none" : container.stdinOnce === true ? "once" : "open",
    tty: container.tty === true,
    mounts,
    terminationMessage: {
      path: container.terminationMessagePath ?? "/dev/termination-log",
      fallBackToOutput: container.terminationMessagePolicy === "FallbackToLogsOnError",
    },
    // Without a request a container gets the least share, as in Kubernetes.
    cpuSharesMilli: cpuRequest === undefined ? 2 : milliOf(cpuRequest),
    cpuLimitMilli: limits["cpu"] === undefined ? undefined : milliOf(limits["cpu"]),
    memoryLimitBytes: limits["memory"] === undefined ? undefined : unitsOf(limits["memory"]),
  };
}

/** The pause program needs no right and no writable file. */
const pauseSecurity: ContainerSecurity = {
  user: undefined,
  supplementalGroups: [],
  privileged: false,
  capabilities: { add: [], drop: ["ALL"] },
  readOnlyRoot: true,
  noNewPrivileges: true,
  seccomp: "default",
};

function identityOf(pod: Pod): { podUid: string; podNamespace: string; podName: string } {
  const { uid = "", namespace = "default", name } = pod.metadata;
  return { podUid: uid, podNamespace: namespace, podName: name };
}

/** Of a Pod with a subdomain the full name is known to /etc/hosts, and is the host name when asked for. */
function namesOf({ metadata, spec }: Pod): { hostname: string | undefined; domain: string | undefined } {
  if (spec.hostNetwork === true) return { hostname: undefined, domain: undefined };
  // A host name has at most 63 characters (RFC 1123); a Pod's name may end in what it can't.
  const hostname = (spec.hostname ?? metadata.name).slice(0, 63).replace(/[^a-z0-9]+$/, "");
  if (!spec.subdomain) return { hostname, domain: undefined };
  const domain = `${spec.subdomain}.${metadata.namespace ?? "default"}.svc.${clusterDomain}`;
  return spec.setHostnameAsFQDN === true
    ? { hostname: `${hostname}.${domain}`.slice(0, 64), domain: undefined }
    : { hostname, domain };
}

const clusterDomain = "cluster.local";

/** There is no cluster DNS yet, so that ClusterFirst is what Kubernetes does without one: Default. */
function dnsOf({ dnsPolicy = "ClusterFirst", dnsConfig }: PodSpec): DnsSettings | undefined {
  if (dnsPolicy !== "None" && dnsConfig === undefined) return undefined;
  const { nameservers = [], searches = [], options = [] } = dnsConfig ?? {};
  return {
    fromMachine: dnsPolicy !== "None",
    nameservers,
    searches,
    options: options.map(({ name = "", value }) => (value === undefined ? name : `${name}:${value}`)),
  };
}

function publishedPorts(pod: Pod): PublishedPort[] {
  const ports = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].flatMap(({ ports: own = [] }) => own);
  return ports
    .filter((port) => (port.hostPort ?? 0) > 0)
    .map(({ containerPort, hostPort = 0, hostIP = "", protocol = "TCP" }) => ({
      containerPort,
      hostPort,
      hostIP,
      protocol,
    }));
}
