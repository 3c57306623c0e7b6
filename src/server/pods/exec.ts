import type { ServerDuplexStream } from "@grpc/grpc-js";
import type { ikada } from "#proto/api.js";
import { IkadaError } from "../../base/errors.js";
import { apiMethods } from "../../host/api-methods.js";
import { writeMessage } from "../../host/grpc.js";
import type { FrameSource, StreamFrame, StreamRequest } from "../agents/pod-streams.js";
import type { Call, Listener } from "../listener.js";
import { callerInput, callerOpening } from "./caller-input.js";
import { nodeFrames, type PodRoutes } from "./pod-route.js";
import { chosenContainer, findTarget } from "./pod-target.js";

type Request = ikada.api.v1.IExecRequest;
type ExecStream = ServerDuplexStream<ikada.api.v1.ExecInput, ikada.api.v1.IExecOutput>;
type Messages = AsyncGenerator<ikada.api.v1.ExecInput, void, undefined>;

/** As Linux has it for the arguments of a program, about. */
const commandBytesMax = 128 * 1024;
const terminalSideMax = 65_535;

export function addExec(listener: Listener, routes: PodRoutes): void {
  listener.bidi(apiMethods.exec, (stream, call) => serve(routes, stream, call, execStream));
  listener.bidi(apiMethods.attach, (stream, call) => serve(routes, stream, call, attachStream));
}

/** Frames flow as fast as the slower side takes them; each side holds a handful of messages. */
async function serve(
  routes: PodRoutes,
  stream: ExecStream,
  call: Call,
  streamOf: (request: Request, podUid: string, container: string) => Way,
): Promise<void> {
  const { open, messages } = await callerOpening(stream, call.signal);
  const target = await findTarget(routes.store, { namespace: open.namespace ?? "", pod: open.pod ?? "" }, call);
  const { request, afterLoss } = streamOf(open, target.uid, chosenContainer(target.pod, open.container ?? ""));
  const { node, object } = target;
  const input = inputOf(callerInput(messages, call.signal), open.stdin ?? false);
  for await (const frame of nodeFrames(
    routes,
    { node, object, request, input, begins: true, afterLoss },
    call.signal,
  )) {
    for (const output of outputsOf(frame)) await writeMessage(stream, output, call.signal);
  }
}

interface Way {
  readonly request: StreamRequest;
  readonly afterLoss: string;
}

function execStream({ command, stdin, tty, size }: Request, podUid: string, container: string): Way {
  const words = command ?? [];
  if (words.length === 0 || words[0] === "") throw new IkadaError("BadRequest", "no command was given");
  const bytes = words.reduce((sum, word) => sum + Buffer.byteLength(word) + 1, 0);
  if (bytes > commandBytesMax) {
    throw new IkadaError("TooLarge", `a command of ${bytes} bytes; ${commandBytesMax} are allowed`);
  }
  const exec = { podUid, container, command: words, stdin: stdin ?? false, tty: tty ?? false, size: sizeOf(size) };
  return { request: { exec }, afterLoss: "the command was ended with its stream, or will be; run it again" };
}

function attachStream({ stdin, tty, size }: Request, podUid: string, container: string): Way {
  const attach = { podUid, container, stdin: stdin ?? false, tty: tty ?? false, size: sizeOf(size) };
  return { request: { attach }, afterLoss: "the container runs on; attach again" };
}

/** @throws IkadaError BadRequest */
async function* inputOf(messages: Messages, wantsStdin: boolean): FrameSource {
  for await (const { open, stdin, stdinEnd, resize } of messages) {
    if (open) throw new IkadaError("BadRequest", "`open` came twice");
    if (resize) yield { resize: sizeOf(resize) };
    else if (stdinEnd) yield { end: true };
    else if (stdin && stdin.length > 0) {
      if (!wantsStdin) throw new IkadaError("BadRequest", "input came, and `open` said that there is none");
      yield { data: stdin };
    }
  }
  yield { end: true };
}

/** @throws IkadaError BadRequest */
function sizeOf(size: ikada.api.v1.ITerminalSize | null | undefined): { columns: number; rows: number } | null {
  if (!size) return null;
  const { columns, rows } = size;
  const [width, height] = [columns ?? 0, rows ?? 0];
  if (width > terminalSideMax || height > terminalSideMax) {
    throw new IkadaError("BadRequest", `a terminal of ${width} columns and ${height} rows`);
  }
  return { columns: width, rows: height };
}

function outputsOf({ opened, data, isStderr, end, exitCode }: StreamFrame): ikada.api.v1.IExecOutput[] {
  const outputs: ikada.api.v1.IExecOutput[] = [];
  if (opened) outputs.push({ started: {} });
  if (data && data.length > 0) outputs.push(isStderr ? { stderr: data } : { stdout: data });
  if (end && typeof exitCode === "number") outputs.push({ exit: { code: exitCode } });
  return outputs;
}
