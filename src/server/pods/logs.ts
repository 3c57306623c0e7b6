import type { ServerWritableStream } from "@grpc/grpc-js";
import type { ikada } from "#proto/api.js";
import { apiMethods } from "../../host/api-methods.js";
import { writeMessage } from "../../host/grpc.js";
import type { Call, Listener } from "../listener.js";
import { nodeFrames, type PodRoutes } from "./pod-route.js";
import { chosenContainer, findTarget } from "./pod-target.js";

type LogsStream = ServerWritableStream<ikada.api.v1.LogsRequest, ikada.api.v1.ILogsChunk>;

export function addLogs(listener: Listener, routes: PodRoutes): void {
  listener.stream(apiMethods.logs, (stream, call) => sendLogs(routes, stream, call));
}

/** @throws IkadaError NotFound, BadRequest when the container is not clear, Unavailable when the node is not connected */
async function sendLogs(routes: PodRoutes, stream: LogsStream, call: Call): Promise<void> {
  const { request } = stream;
  const { pod, uid: podUid, node, object } = await findTarget(routes.store, request, call);
  const { tailLines, limitBytes, follow, previous, timestamps } = request;
  const logs = {
    podUid,
    container: chosenContainer(pod, request.container),
    follow,
    previous,
    timestamps,
    tailLines: typeof tailLines === "number" ? Math.max(0, tailLines) : -1,
    sinceMs: sinceOf(request),
  };
  const afterLoss = "ask again; with since to go on where it broke off";
  let leftBytes = typeof limitBytes === "number" ? Math.max(0, limitBytes) : Infinity;
  if (leftBytes === 0) return;
  for await (const { data } of nodeFrames(
    routes,
    { node, object, request: { logs }, begins: false, afterLoss },
    call.signal,
  )) {
    if (!data || data.length === 0) continue;
    const kept = data.subarray(0, leftBytes);
    await writeMessage(stream, { data: kept }, call.signal);
    leftBytes -= kept.length;
    if (leftBytes <= 0) return;
  }
}

/** Wall milliseconds; 0 for all. */
function sinceOf({ sinceMs, sinceSeconds }: ikada.api.v1.LogsRequest): number {
  if (typeof sinceMs === "number") return Math.max(1, sinceMs);
  return typeof sinceSeconds === "number" ? Math.max(1, Date.now() - sinceSeconds * 1000) : 0;
}
