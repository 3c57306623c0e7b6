import type { AnyObject } from "../../src/api/object.js";

export function configMap(name: string, data: Record<string, string> = {}, more: object = {}): AnyObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default", ...more }, data };
}

export function deployment(name: string, replicas: number): AnyObject {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: "default", labels: { app: name } },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "web", image: "hello:1" }] } },
    },
  };
}

export function pod(
  name: string,
  nodeName: string,
  more: { readonly metadata?: object; readonly spec?: object } = {},
): AnyObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", uid: `uid-${name}`, ...more.metadata },
    spec: { nodeName, containers: [{ name: "main", image: "hello:1" }], ...more.spec },
    status: { phase: "Pending" },
  };
}

/** An object as requests carry it. */
export function wire(object: AnyObject): { json: Uint8Array } {
  return { json: new TextEncoder().encode(JSON.stringify(object)) };
}

export interface ReadObject extends AnyObject {
  readonly spec: { readonly replicas: number; readonly podCIDR?: string };
  readonly status?: { readonly phase?: string; readonly conditions?: readonly object[] };
  readonly data?: Readonly<Record<string, string>>;
}

/** An object as answers carry it. */
export function read(object: { readonly json?: Uint8Array | null } | null | undefined): ReadObject {
  return JSON.parse(new TextDecoder().decode(object?.json ?? new Uint8Array())) as ReadObject;
}
