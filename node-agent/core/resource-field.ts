import type { Container, Pod, ResourceFieldSelector } from "../../src/api/kinds/pod.js";
import { parseQuantity } from "../../src/api/quantity.js";
import { allContainers } from "./container-role.js";

/**
 * A container's request or limit as a whole number of `divisor`s, rounded up (Kubernetes' ExtractContainerResourceValue). A limit that is
 * not there is what the node has to give, a request that is not there 0. Undefined when there is no such container or resource.
 */
export function resourceField(
  { resource, containerName, divisor }: ResourceFieldSelector,
  pod: Pod,
  container: Container,
  allocatable: Readonly<Record<string, string>>,
): string | undefined {
  const named = containerName === undefined ? container : allContainers(pod).find(({ name }) => name === containerName);
  const dot = resource.indexOf(".");
  const [part, name] = [resource.slice(0, dot), resource.slice(dot + 1)];
  if (named === undefined || (part !== "limits" && part !== "requests")) return undefined;
  const given = named.resources?.[part]?.[name] ?? (part === "limits" ? allocatable[name] : undefined) ?? "0";
  const amount = parseQuantity(given)?.nanos ?? 0n;
  const unit = parseQuantity(divisor ?? "0")?.nanos ?? 0n;
  const wanted = unit <= 0n ? nanosOfOne : unit;
  return String((amount + wanted - 1n) / wanted);
}

const nanosOfOne = 1_000_000_000n;
