import type { IncomingMessage } from "node:http";
import { IkadaError } from "../../src/base/errors.js";
import type { ExecRequest, ExecResult } from "../core/runtime.js";
import { engineDeadlines, type Engine } from "./engine.js";
import { FrameSplitter } from "./frames.js";

/**
 * Runs a command in a container. `request.timeoutMs` spans all steps; after it the command may run on, for the engine can't stop it.
 * Deadline: the command took too long. Unavailable: the engine had not even begun it by then, which tells nothing of the container.
 */
export async function runExec(engine: Engine, request: ExecRequest): Promise<ExecResult> {
  const what = `exec in ${request.containerId.slice(0, 12)}`;
  let stream: IncomingMessage | undefined;
  let execId: string | undefined;
  try {
    return await engine.call(what, request.timeoutMs, async (abortSignal) => {
      const exec = await engine.docker
        .getContainer(request.containerId)
        .exec({ Cmd: [...request.command], AttachStdout: true, AttachStderr: true, abortSignal });
      execId = exec.id;
      stream = await engine.openStream(what, {
        path: `/exec/${exec.id}/start`,
        method: "POST",
        options: { Detach: false, Tty: false },
      });
      if (abortSignal.aborted) stream.destroy();
      const output = await collect(stream, request.outputBytesMax);
      return { exitCode: await exitCodeOf(engine, exec.id, abortSignal), output };
    });
  } catch (caught) {
    if (!(caught instanceof IkadaError && caught.reason === "Deadline")) throw caught;
    if (stream !== undefined && (await hasBegun(engine, execId!))) throw caught;
    throw new IkadaError("Unavailable", `${caught.message}: the command was not begun`, {}, caught);
  } finally {
    stream?.destroy();
  }
}

/** The engine answers a start before it has started anything. What it can't say in time has not begun. */
async function hasBegun(engine: Engine, execId: string): Promise<boolean> {
  const what = `inspect exec ${execId.slice(0, 12)}`;
  try {
    const { Pid } = await engine.call(what, engineDeadlines.pingMs, (abortSignal) =>
      engine.docker.getExec(execId).inspect({ abortSignal }),
    );
    return Pid !== 0;
  } catch (caught) {
    if (["Deadline", "Unavailable"].includes(IkadaError.from(caught).reason)) return false;
    throw caught;
  }
}

async function collect(stream: IncomingMessage, bytesMax: number): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  const splitter = new FrameSplitter((_, bytes) => {
    const kept = bytes.subarray(0, bytesMax - size);
    if (kept.length === 0) return;
    size += kept.length;
    parts.push(Buffer.from(kept));
  });
  for await (const chunk of stream) splitter.push(chunk as Buffer);
  return Buffer.concat(parts).toString("utf8");
}

/** The output may end a moment before the engine knows the exit code. */
export async function exitCodeOf(engine: Engine, execId: string, signal: AbortSignal): Promise<number> {
  for (let pauseMs = 2; ; pauseMs = Math.min(pauseMs * 2, 250)) {
    const state = await engine.call(`inspect exec ${execId.slice(0, 12)}`, engineDeadlines.readMs, (abortSignal) =>
      engine.docker.getExec(execId).inspect({ abortSignal }),
    );
    if (!state.Running && state.ExitCode !== null) return state.ExitCode;
    if (signal.aborted) throw new IkadaError("Deadline", "docker: exec: no exit code in time");
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
