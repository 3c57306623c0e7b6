import type { Container, Pod } from "../../src/api/kinds/pod.js";
import { milliOf, unitsOf } from "../../src/api/quantity.js";
import type { Environment } from "./environment.js";
import type { ContainerSpec, PublishedPort } from "./runtime.js";
import { specHash } from "./spec-hash.js";

/** The sandbox of a Pod. `image` comes from `ensureSandboxImage`. */
export function sandboxSpec(pod: Pod, attempt: number, image: string): ContainerSpec {
  const { metadata, spec } = pod;
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
    // A host name has at most 63 characters (RFC 1123).
    hostname: (spec.hostname ?? metadata.name).slice(0, 63),
    sandboxId: undefined,
    cpuSharesMilli: undefined,
    cpuLimitMilli: undefined,
    memoryLimitBytes: undefined,
    publishedPorts: publishedPorts(pod),
  };
}

export function containerSpec(
  pod: Pod,
  container: Container,
  attempt: number,
  sandboxId: string,
  environment: Environment,
): ContainerSpec {
  const { requests = {}, limits = {} } = container.resources ?? {};
  const cpuRequest = requests["cpu"] ?? limits["cpu"];
  return {
    ...identityOf(pod),
    containerName: container.name,
    role: "container",
    attempt,
    specHash: specHash(container),
    image: container.image,
    command: environment.command,
    args: environment.args,
    env: environment.variables,
    workingDir: container.workingDir,
    hostname: undefined,
    sandboxId,
    // Without a request a container gets the least share, as in Kubernetes.
    cpuSharesMilli: cpuRequest === undefined ? 2 : milliOf(cpuRequest),
    cpuLimitMilli: limits["cpu"] === undefined ? undefined : milliOf(limits["cpu"]),
    memoryLimitBytes: limits["memory"] === undefined ? undefined : unitsOf(limits["memory"]),
    publishedPorts: [],
  };
}

function identityOf(pod: Pod): { podUid: string; podNamespace: string; podName: string } {
  const { uid = "", namespace = "default", name } = pod.metadata;
  return { podUid: uid, podNamespace: namespace, podName: name };
}

function publishedPorts(pod: Pod): PublishedPort[] {
  const ports = pod.spec.containers.flatMap((container) => container.ports ?? []);
  return ports
    .filter((port) => (port.hostPort ?? 0) > 0)
    .map(({ containerPort, hostPort = 0, hostIP = "", protocol = "TCP" }) => ({
      containerPort,
      hostPort,
      hostIP,
      protocol,
    }));
}
