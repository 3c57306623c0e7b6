import type { ServerWritableStream } from "@grpc/grpc-js";
import type { ikada } from "#proto/api.js";
import type { AnyObject } from "../api/object.js";
import { listAt, textAt } from "../api/path.js";
import { IkadaError, reasons } from "../base/errors.js";
import type { Reason } from "../base/errors.js";
import { apiMethods } from "../host/api-methods.js";
import { writeMessage } from "../host/grpc.js";
import { decodeRecord } from "../objects/encode.js";
import { storeKey } from "../objects/keys.js";
import type { Store } from "../../store/store.js";
import type { AgentService } from "./agents/agent-service.js";
import type { LivenessTable } from "./agents/liveness-table.js";
import type { FrameSource, StreamRequest } from "./agents/pod-streams.js";
import type { Call, Listener } from "./listener.js";
import type { ReplicaLinks } from "./replicas/replica-links.js";
import { requestedKey } from "./resources/requested-kind.js";

export interface PodsServiceOptions {
  readonly store: Store;
  readonly agents: AgentService;
  readonly liveness: LivenessTable;
  readonly links: ReplicaLinks;
}

type LogsStream = ServerWritableStream<ikada.api.v1.LogsRequest, ikada.api.v1.ILogsChunk>;

/** ikada.api.v1.Pods: streams that end at a Pod, wherever its node's session is. No address of a node is ever dialled. */
export function addPodsService(listener: Listener, options: PodsServiceOptions): void {
  listener.stream(apiMethods.logs, (stream, call) => sendLogs(options, stream, call));
}

/** @throws IkadaError NotFound, BadRequest when the container is not clear, Unavailable when the node is not connected */
async function sendLogs(options: PodsServiceOptions, stream: LogsStream, call: Call): Promise<void> {
  const { request } = stream;
  const pod = await findPod(options.store, request, call);
  const node = textAt(pod, ["spec", "nodeName"]);
  const object = `pods "${request.pod}"`;
  if (node === "") {
    throw new IkadaError("BadRequest", `${object} runs on no node yet`, { object, hint: "wait until it is scheduled" });
  }
  const { tailLines, sinceSeconds, follow, previous, timestamps } = request;
  const logs = {
    podUid: pod.metadata.uid ?? "",
    container: chosenContainer(pod, request.container),
    follow,
    previous,
    timestamps,
    tailLines: typeof tailLines === "number" ? Math.max(0, tailLines) : -1,
    sinceMs: typeof sinceSeconds === "number" ? Math.max(1, Date.now() - sinceSeconds * 1000) : 0,
  };
  for await (const frame of framesFrom(options, node, { logs }, call.signal)) {
    if (frame.data && frame.data.length > 0) await writeMessage(stream, { data: frame.data }, call.signal);
    if (!frame.end) continue;
    if (frame.error) throw new IkadaError(reasonOf(frame.reason), frame.error, { object });
    return;
  }
  throw new IkadaError("Unavailable", `the stream of ${object} broke off on node ${node}`, {
    object,
    hint: "ask again; with since to go on where it broke off",
  });
}

function framesFrom(options: PodsServiceOptions, node: string, open: StreamRequest, signal: AbortSignal): FrameSource {
  const { agents, liveness, links } = options;
  if (agents.hasSession(node)) return agents.openStream(node, open, signal);
  const replica = liveness.connectedReplica(node);
  if (replica !== undefined) return links.podStream(replica, node, open, signal);
  throw new IkadaError("Unavailable", `node ${node} is not connected`, {
    hint: "look at the node: its agent has no session with any server",
  });
}

async function findPod(store: Store, request: ikada.api.v1.LogsRequest, call: Call): Promise<AnyObject> {
  const { namespace, pod: name } = request;
  const { key } = requestedKey({ group: "", version: "v1", kind: "Pod", namespace, name });
  const at = storeKey(key);
  // A Pod that is known here needs no leader, so that logs can be read while there is none.
  if (!store.peek(at)) await store.barrier(call.wait);
  const record = store.peek(at);
  if (record) return decodeRecord(record);
  throw new IkadaError("NotFound", `pods "${name}" not found`, { object: `pods "${name}"` });
}

function chosenContainer(pod: AnyObject, wanted: string): string {
  const names = ["containers", "initContainers"].map((field) =>
    listAt(pod, "spec", field).map((container) => textAt(container, ["name"])),
  );
  const [containers = [], initContainers = []] = names;
  const object = `pods "${pod.metadata.name}"`;
  const hint = `choose one of ${[...containers, ...initContainers].join(", ")}`;
  if (wanted !== "") {
    if (containers.includes(wanted) || initContainers.includes(wanted)) return wanted;
    throw new IkadaError("BadRequest", `container "${wanted}" is not in ${object}`, { object, hint });
  }
  const [only, ...others] = containers;
  if (only !== undefined && others.length === 0) return only;
  throw new IkadaError("BadRequest", `${object} has ${containers.length} containers and none was named`, {
    object,
    hint,
  });
}

/** An agent's word: only reasons that exist pass. */
function reasonOf(reason: string | null | undefined): Reason {
  return reason && Object.hasOwn(reasons, reason) ? (reason as Reason) : "Unavailable";
}
