import type { Pod } from "../api/kinds/pod.js";

/** A port of the machine that a Pod has to itself. */
export interface HostPort {
  readonly port: number;
  readonly protocol: string;
  /** "" and "0.0.0.0" are all addresses of the machine. */
  readonly ip: string;
}

/**
 * What a Pod wants of the machine's ports. In the machine's own network each of its ports is one. Init containers that end are
 * left out, as in Kubernetes.
 */
export function hostPortsOf({ spec }: Pod): readonly HostPort[] {
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always");
  return [...sidecars, ...(spec.containers ?? [])]
    .flatMap(({ ports = [] }) => ports)
    .map(({ containerPort, hostPort = 0, protocol = "TCP", hostIP = "" }) => ({
      port: hostPort === 0 && spec.hostNetwork === true ? containerPort : hostPort,
      protocol,
      ip: hostIP,
    }))
    .filter(({ port }) => port !== 0);
}

/** Whether one machine can't give both. */
export function conflict(left: HostPort, right: HostPort): boolean {
  if (left.port !== right.port || left.protocol !== right.protocol) return false;
  return left.ip === right.ip || isEveryAddress(left.ip) || isEveryAddress(right.ip);
}

function isEveryAddress(ip: string): boolean {
  return ip === "" || ip === "0.0.0.0";
}
