import type { Pod } from "../../src/api/kinds/pod.js";
import { allContainers } from "./container-role.js";

/** Ports from the first to the last, both in it. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** Why a Pod can't have the ports of the machine that it asks for; undefined: it can. In the machine's own network it has them all. */
export function portRefusal(pod: Pod, allowed: PortRange | undefined): string | undefined {
  if (pod.spec.hostNetwork === true) return undefined;
  for (const { name, ports = [] } of allContainers(pod))
    for (const { hostPort = 0 } of ports) {
      if (hostPort === 0 || (allowed !== undefined && hostPort >= allowed.first && hostPort <= allowed.last)) continue;
      const range = allowed === undefined ? "gives no ports to Pods" : `gives Pods ${allowed.first} to ${allowed.last}`;
      return `container ${name} asks for hostPort ${hostPort}, and this node ${range} (hostPorts in its agent's config)`;
    }
  return undefined;
}
