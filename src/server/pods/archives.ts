import type { ServerDuplexStream, ServerWritableStream } from "@grpc/grpc-js";
import type { ikada } from "#proto/api.js";
import { IkadaError } from "../../base/errors.js";
import { apiMethods } from "../../host/api-methods.js";
import { writeMessage } from "../../host/grpc.js";
import type { Call, Listener } from "../listener.js";
import { archiveInput, callerOpening } from "./caller-input.js";
import { nodeFrames, type NodeStream, type PodRoutes } from "./pod-route.js";
import { chosenContainer, findTarget } from "./pod-target.js";

type Request = ikada.api.v1.IReadArchiveRequest;
type Input = ikada.api.v1.WriteArchiveInput;

const pathLengthMax = 4_096;

export function addArchives(listener: Listener, routes: PodRoutes): void {
  listener.stream(apiMethods.readArchive, (stream, call) => read(routes, stream, call));
  listener.bidi(apiMethods.writeArchive, (stream, call) => write(routes, stream, call));
}

async function read(
  routes: PodRoutes,
  stream: ServerWritableStream<ikada.api.v1.ReadArchiveRequest, ikada.api.v1.IArchiveChunk>,
  call: Call,
): Promise<void> {
  const { archive, ...way } = await wayTo(routes, stream.request, call);
  const source: NodeStream = { ...way, request: { readArchive: archive }, begins: true };
  for await (const { data } of nodeFrames(routes, source, call.signal)) {
    if (data && data.length > 0) await writeMessage(stream, { data }, call.signal);
  }
}

/** Answers once, when all is written: to callers this is a call with one answer. */
async function write(
  routes: PodRoutes,
  stream: ServerDuplexStream<Input, ikada.api.v1.IWriteArchiveResponse>,
  call: Call,
): Promise<void> {
  const { open, messages } = await callerOpening(stream, call.signal);
  const { archive, ...way } = await wayTo(routes, open, call);
  const target: NodeStream = {
    ...way,
    request: { writeArchive: archive },
    input: archiveInput(messages),
    begins: true,
  };
  for await (const frame of nodeFrames(routes, target, call.signal)) if (frame.end) break;
  await writeMessage(stream, {}, call.signal);
}

async function wayTo(routes: PodRoutes, request: Request, call: Call) {
  const path = request.path ?? "";
  if (path === "" || path.includes("\0")) throw new IkadaError("BadRequest", "the path is empty or has a NUL in it");
  if (path.length > pathLengthMax) throw new IkadaError("TooLarge", `a path of ${path.length} characters`);
  const reference = { namespace: request.namespace ?? "", pod: request.pod ?? "" };
  const { pod, uid: podUid, node, object } = await findTarget(routes.store, reference, call);
  const archive = { podUid, path, container: chosenContainer(pod, request.container ?? "") };
  return { archive, node, object, afterLoss: "copy again; a part may have been copied" };
}
