import type { ServerDuplexStream } from "@grpc/grpc-js";
import { ikada as agent } from "#proto/agent.js";
import type { ikada } from "#proto/api.js";
import type { Node } from "../../api/kinds/core.js";
import { IkadaError } from "../../base/errors.js";
import { apiMethods } from "../../host/api-methods.js";
import { writeMessage } from "../../host/grpc.js";
import type { Call, Listener } from "../listener.js";
import { askNodes, unreached } from "./ask-nodes.js";
import { archiveInput, callerOpening } from "./caller-input.js";
import { nodeFrames, type NodeStream, type PodRoutes } from "./pod-route.js";

type Input = ikada.api.v1.LoadImagesInput;

/** ikada.api.v1.Images: images of nodes, by the streams that their agents open. The archive passes through and is kept nowhere on the way. */
export function addImages(listener: Listener, routes: PodRoutes): void {
  listener.bidi(apiMethods.loadImages, (stream, call) => load(routes, stream, call));
  listener.unary(apiMethods.listImages, (request, call) => list(routes, request, call));
}

/** Answers once, when all is loaded. */
async function load(
  routes: PodRoutes,
  stream: ServerDuplexStream<Input, ikada.api.v1.ILoadImagesResponse>,
  call: Call,
): Promise<void> {
  const { open, messages } = await callerOpening(stream, call.signal);
  const [node = ""] = nodesNamed(routes, open.node ?? "", true);
  const way: NodeStream = {
    node,
    object: `nodes "${node}"`,
    request: { loadImages: {} },
    input: archiveInput(messages),
    begins: true,
    afterLoss: "load it again: loading twice changes nothing",
  };
  const decoder = new TextDecoder();
  let names = "";
  for await (const frame of nodeFrames(routes, way, call.signal)) {
    if (frame.data) names += decoder.decode(frame.data, { stream: true });
    if (names.length > namesLengthMax) throw new IkadaError("TooLarge", "the archive has too many images");
    if (frame.end) break;
  }
  await writeMessage(stream, { images: names.split("\n").filter((name) => name !== "") }, call.signal);
}

async function list(
  routes: PodRoutes,
  { node }: ikada.api.v1.ListImagesRequest,
  call: Call,
): Promise<ikada.api.v1.IListImagesResponse> {
  const question = {
    request: { listImages: {} },
    decode: (bytes: Uint8Array) => agent.agent.v1.NodeImages.decode(bytes).images,
  };
  const answers = await askNodes(routes, nodesNamed(routes, node, false), question, call);
  const images = answers.flatMap((answer) =>
    "value" in answer ? answer.value.map((image) => ({ ...image, node: answer.node })) : [],
  );
  return { images, unreached: unreached(answers) };
}

/** @throws IkadaError NotFound, BadRequest */
function nodesNamed(routes: PodRoutes, name: string, isRequired: boolean): string[] {
  if (name === "" && isRequired)
    throw new IkadaError("BadRequest", "`node` is empty: an archive goes to one node a call");
  const nodes = routes.cache.snapshot().list<Node>("/Node");
  const found = nodes.map(({ metadata }) => metadata.name).filter((node) => name === "" || node === name);
  if (name === "" || found.length > 0) return found;
  const object = `nodes "${name}"`;
  throw new IkadaError("NotFound", `${object} not found`, { object, hint: "`ikada get nodes` shows what there is" });
}

const namesLengthMax = 256 * 1024;
