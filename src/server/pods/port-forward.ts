import type { ServerDuplexStream } from "@grpc/grpc-js";
import type { ikada } from "#proto/api.js";
import { IkadaError } from "../../base/errors.js";
import { apiMethods } from "../../host/api-methods.js";
import { writeMessage } from "../../host/grpc.js";
import type { FrameSource } from "../agents/pod-streams.js";
import type { Call, Listener } from "../listener.js";
import { callerInput, callerOpening } from "./caller-input.js";
import { nodeFrames, type PodRoutes } from "./pod-route.js";
import { findTarget } from "./pod-target.js";

type Input = ikada.api.v1.PortForwardInput;
type PortStream = ServerDuplexStream<Input, ikada.api.v1.IPortForwardOutput>;

/**
 * One call is one connection: HTTP/2 has streams with windows of their own, so a slow connection holds up no other one, and none needs a
 * protocol of ours.
 */
export function addPortForward(listener: Listener, routes: PodRoutes): void {
  listener.bidi(apiMethods.portForward, (stream, call) => serve(routes, stream, call));
}

async function serve(routes: PodRoutes, stream: PortStream, call: Call): Promise<void> {
  const { open, messages } = await callerOpening(stream, call.signal);
  const port = open.port ?? 0;
  if (port < 1 || port > 65_535) throw new IkadaError("BadRequest", `${port} is no port: 1 to 65535 are`);
  const reference = { namespace: open.namespace ?? "", pod: open.pod ?? "" };
  const { node, uid: podUid, object } = await findTarget(routes.store, reference, call);
  const request = { port: { podUid, port } };
  const way = {
    node,
    object,
    request,
    input: inputOf(callerInput(messages, call.signal)),
    begins: true,
    afterLoss: "connect again",
  };
  for await (const { opened, data } of nodeFrames(routes, way, call.signal)) {
    if (opened || (data && data.length > 0)) await writeMessage(stream, { data: data ?? null }, call.signal);
  }
}

/** @throws IkadaError BadRequest */
async function* inputOf(messages: AsyncGenerator<Input, void, undefined>): FrameSource {
  for await (const { open, data } of messages) {
    if (open) throw new IkadaError("BadRequest", "`open` came twice");
    if (data && data.length > 0) yield { data };
  }
  yield { end: true };
}
