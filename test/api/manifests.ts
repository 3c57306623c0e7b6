import { withDefaults } from "../../src/api/defaults.js";
import { decodeObject } from "../../src/api/decode.js";
import type { AnyObject } from "../../src/api/object.js";

/** A parsed document that tests cut and patch as they like. */
export type Manifest = { [field: string]: unknown };

export function deploymentManifest(): Manifest {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "default", labels: { app: "web" } },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: {
          containers: [
            {
              name: "server",
              image: "registry.example/web:1.2",
              ports: [{ containerPort: 8080, name: "http" }],
              env: [{ name: "MODE", value: "fast" }],
            },
          ],
        },
      },
    },
  };
}

export function podManifest(): Manifest {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web-1", namespace: "default", labels: { app: "web" } },
    spec: { containers: [{ name: "server", image: "web" }] },
  };
}

/** As it is sent; the server sets its selector when it is made. */
export function jobManifest(): Manifest {
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: "work", namespace: "default" },
    spec: {
      template: { spec: { restartPolicy: "Never", containers: [{ name: "main", image: "work:1" }] } },
    },
  };
}

export function cronJobManifest(): Manifest {
  const { spec } = jobManifest();
  return {
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: { name: "tick", namespace: "default" },
    spec: { schedule: "*/5 * * * *", jobTemplate: { spec } },
  };
}

export function priorityClassManifest(): Manifest {
  return {
    apiVersion: "scheduling.k8s.io/v1",
    kind: "PriorityClass",
    metadata: { name: "high" },
    value: 1000,
  };
}

export function configMapManifest(): Manifest {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "settings", namespace: "default" },
    data: { mode: "fast" },
  };
}

/** The manifest with the value at a path replaced, or removed when undefined: `spec.template.spec.containers.0.image`. */
export function withValue(manifest: Manifest, path: string, value: unknown): Manifest {
  const copy = structuredClone(manifest);
  const steps = path.split(".");
  let at: Record<string, unknown> = copy;
  for (const step of steps.slice(0, -1)) {
    at[step] ??= {};
    at = at[step] as Record<string, unknown>;
  }
  const last = steps.at(-1) ?? "";
  if (value === undefined) delete at[last];
  else at[last] = value;
  return copy;
}

/** Decoded without a fault and defaulted. */
export function objectOf(manifest: Manifest): AnyObject {
  return withDefaults(decodedOf(manifest));
}

/** Decoded without a fault. */
export function decodedOf(manifest: Manifest): AnyObject {
  const { object, faults } = decodeObject(manifest, { mode: "whole" });
  if (object === undefined) throw new Error(`the manifest has faults: ${JSON.stringify(faults)}`);
  return object;
}

export const noon = 1_767_268_800_000;
