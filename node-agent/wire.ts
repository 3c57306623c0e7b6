import { ikada } from "#proto/agent.js";
import type { ConfigMap, Secret } from "../src/api/kinds/core.js";
import type { Pod } from "../src/api/kinds/pod.js";
import { IkadaError } from "../src/base/errors.js";
import type { EventBatch } from "./core/agent-events.js";
import type { Assignments } from "./core/assignment-book.js";
import type { LeaseAnswer } from "./core/fencing-leases.js";
import type { ReportBatch } from "./core/report-outbox.js";
import type { FromServer, ToServer } from "./core/session.js";

type Wire = typeof ikada.agent.v1;

/** The protocol's version. */
const format = 1;

export function encodeAgentMessage(message: ToServer): ikada.agent.v1.IAgentMessage {
  switch (message.type) {
    case "hello": {
      const { node, version, bootId, labels, term, revision } = message.hello;
      return { hello: { format, node, version, bootId, labels: { ...labels }, term, revision } };
    }
    case "heartbeat":
      return { heartbeat: { sequence: message.sequence } };
    case "node":
      return { node: { statusJson: encodeJson(message.status) } };
    case "events":
      return { events: encodeEvents(message.batch) };
    case "renew":
      return { renew: { ...message.request, podUids: [...message.request.podUids] } };
    default:
      return { pods: encodeReports(message.batch) };
  }
}

/** @throws IkadaError BadRequest when a part is broken */
export function decodeServerMessage(message: ikada.agent.v1.ServerMessage): FromServer {
  const { welcome, assignments, accepted, eventsAccepted, leases } = message;
  if (welcome) {
    const { clusterId, nodeUid, heartbeatMs, servers } = welcome;
    return {
      type: "welcome",
      welcome: {
        clusterId: clusterId ?? "",
        nodeUid: nodeUid ?? "",
        heartbeatMs: heartbeatMs ?? 0,
        servers: servers ?? [],
      },
    };
  }
  if (assignments)
    return { type: "assignments", assignments: decodeAssignments(assignments as ikada.agent.v1.Assignments) };
  if (accepted) return { type: "accepted", sequence: accepted.sequence ?? 0 };
  if (eventsAccepted) return { type: "eventsAccepted", sequence: eventsAccepted.sequence ?? 0 };
  if (leases) return { type: "leases", answer: decodeLeases(leases) };
  return { type: "beat" };
}

/** Assignments as they came, parsed; nothing keeps a view into the received bytes. @throws IkadaError BadRequest when a part is broken */
function decodeAssignments(message: InstanceType<Wire["Assignments"]>): Assignments {
  const { Type } = ikada.agent.v1.Assignments;
  if (message.type !== Type.COMPLETE && message.type !== Type.INCREMENT) {
    throw new IkadaError("BadRequest", `assignments of unknown type ${message.type}`);
  }
  return {
    type: message.type === Type.COMPLETE ? "complete" : "increment",
    term: message.term,
    appliesTo: message.appliesTo,
    resultsIn: message.resultsIn,
    pods: message.pods.map(({ uid, json }) => ({ uid: uid ?? "", pod: parse<Pod>(json, `pod ${uid}`) })),
    removedUids: [...message.removedUids],
    objects: message.objects.map(({ kind, namespace, name, json }) => ({
      kind: kind ?? "",
      namespace: namespace ?? "",
      name: name ?? "",
      object: parse<ConfigMap | Secret>(json, `${kind} ${namespace}/${name}`),
    })),
    removedObjects: message.removedObjects.map(({ kind, namespace, name }) => ({
      kind: kind ?? "",
      namespace: namespace ?? "",
      name: name ?? "",
    })),
  };
}

function encodeReports(batch: ReportBatch): ikada.agent.v1.IPodReports {
  return {
    sequence: batch.sequence,
    reports: batch.reports.map(({ uid, namespace, name, status, gone, leaseEpoch }) => ({
      uid,
      namespace,
      name,
      gone,
      leaseEpoch,
      statusJson: encodeJson(status),
    })),
  };
}

function encodeEvents(batch: EventBatch): ikada.agent.v1.INodeEvents {
  return {
    sequence: batch.sequence,
    events: batch.events.map(({ event: { pod, fieldPath, type, reason, message }, count }) => ({
      podNamespace: pod?.namespace ?? "",
      podName: pod?.name ?? "",
      podUid: pod?.uid ?? "",
      fieldPath: fieldPath ?? "",
      warning: type === "Warning",
      reason,
      message: message.slice(0, eventMessageMax),
      count,
    })),
  };
}

/** An Event's message has no more characters. */
const eventMessageMax = 1024;

function decodeLeases({ sequence, epoch, first, podUids }: ikada.agent.v1.ILeasesRenewed): LeaseAnswer {
  return { sequence: sequence ?? 0, epoch: epoch ?? 0, first: first ?? false, podUids: podUids ?? [] };
}

export function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** The text is not part of the error: it may hold a Secret. */
function parse<T>(bytes: Uint8Array | null | undefined, what: string): T {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes ?? new Uint8Array())) as T;
  } catch {
    throw new IkadaError("BadRequest", `assignments: ${what} is not JSON`);
  }
}
