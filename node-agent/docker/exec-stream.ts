import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../../src/base/env.js";
import { IkadaError } from "../../src/base/errors.js";
import type { AttachRequest, ExecStreamRequest, TerminalSize } from "../core/access.js";
import { engineDeadlines, type Engine } from "./engine.js";
import { exitCodeOf } from "./exec.js";
import { hijack } from "./hijack.js";
import type { OpenedSocket } from "./hijacked-stream.js";

/** The engine's own way to detach by keys would hold back ctrl-p, which shells use. Nobody types these. */
const detachKeys = "ctrl-^,ctrl-_,ctrl-^,ctrl-_";
const resizeTriesMax = 10;
const killTriesMax = 20;

/** Starts a command in a container, with its input and output on a socket. */
export async function openExec(engine: Engine, request: ExecStreamRequest, log: Log): Promise<OpenedSocket> {
  const { containerId, command, stdin, tty, size } = request;
  const what = `exec in ${containerId.slice(0, 12)}`;
  const { id } = await engine.call(what, engineDeadlines.readMs, (abortSignal) =>
    engine.docker.getContainer(containerId).exec({
      Cmd: [...command],
      AttachStdin: stdin,
      AttachStdout: true,
      AttachStderr: true,
      Tty: tty,
      DetachKeys: detachKeys,
      abortSignal,
    }),
  );
  const resize = (to: TerminalSize): Promise<void> =>
    resized(engine, what, (abortSignal) =>
      engine.docker.getExec(id).resize({ h: to.rows, w: to.columns, abortSignal }),
    );
  const socket = await hijack(engine, what, { path: `/exec/${id}/start`, body: { Detach: false, Tty: tty } });
  if (tty && size) void resize(size).catch(() => undefined);
  return {
    socket,
    raw: tty,
    exitCode: () => exitCodeOf(engine, id, AbortSignal.timeout(engineDeadlines.readMs)),
    ...(tty && { resize }),
    abandon: () => void kill(engine, id, containerId, log),
  };
}

/** Connects to the main process of a container. */
export async function openAttach(engine: Engine, request: AttachRequest): Promise<OpenedSocket> {
  const { containerId, stdin, size } = request;
  const what = `attach to ${containerId.slice(0, 12)}`;
  const container = engine.docker.getContainer(containerId);
  const { Config, State } = await engine.call(what, engineDeadlines.readMs, (abortSignal) =>
    container.inspect({ abortSignal }),
  );
  if (!State.Running) throw new IkadaError("Conflict", `docker: ${what}: the container is not running`);
  if (stdin && !Config.OpenStdin) {
    const hint = "set `stdin: true` in the container's spec, or attach without input";
    throw new IkadaError("BadRequest", "the container has no input to write to", { hint });
  }
  const query = { stream: "1", stdin: stdin ? "1" : "0", stdout: "1", stderr: "1", detachKeys };
  const socket = await hijack(engine, what, { path: `/containers/${containerId}/attach`, query });
  const resize = (to: TerminalSize): Promise<void> =>
    resized(engine, what, (abortSignal) => container.resize({ h: to.rows, w: to.columns, abortSignal }));
  if (Config.Tty && size) void resize(size).catch(() => undefined);
  return {
    socket,
    raw: Config.Tty,
    exitCode: () => containerExit(engine, containerId),
    ...(Config.Tty && { resize }),
  };
}

/** The engine answers before the process is there. */
async function resized(engine: Engine, what: string, call: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await engine.call(`resize the terminal of ${what}`, engineDeadlines.readMs, call);
      return;
    } catch (caught) {
      if (tries >= resizeTriesMax) throw caught;
      await sleep(tries * 10);
    }
  }
}

/** Of a container whose output has ended; a moment later the engine knows that it has. */
async function containerExit(engine: Engine, id: string): Promise<number | undefined> {
  for (let tries = 1; ; tries += 1) {
    const { State } = await engine.call(`inspect ${id.slice(0, 12)}`, engineDeadlines.readMs, (abortSignal) =>
      engine.docker.getContainer(id).inspect({ abortSignal }),
    );
    if (!State.Running) return State.ExitCode;
    if (tries >= killTriesMax) return undefined;
    await sleep(tries * 5);
  }
}

/**
 * The engine ends no exec. Its process is one of this machine, though, and of the container's control group: that is checked, for numbers are used
 * again, and for an engine on another machine, or in another process namespace, they mean something else.
 */
async function kill(engine: Engine, execId: string, containerId: string, log: Log): Promise<void> {
  try {
    for (let tries = 1; tries <= killTriesMax; tries += 1) {
      const state = await engine.call(`inspect exec ${execId.slice(0, 12)}`, engineDeadlines.readMs, (abortSignal) =>
        engine.docker.getExec(execId).inspect({ abortSignal }),
      );
      if (!state.Running && state.ExitCode !== null) return;
      if (state.Pid > 0) {
        if (!isInContainer(state.Pid, containerId)) break;
        process.kill(state.Pid, "SIGKILL");
        return;
      }
      // It starts just now.
      await sleep(tries * 10);
    }
    log.warn("the process of an ended exec was not found and may run on", { container: containerId.slice(0, 12) });
  } catch (caught) {
    const error = IkadaError.from(caught);
    if (error.reason === "NotFound" || (caught as NodeJS.ErrnoException).code === "ESRCH") return;
    log.warn("the process of an ended exec was not killed", {
      container: containerId.slice(0, 12),
      error: error.message,
    });
  }
}

/** Whether this process is of the container's control group. */
export function isInContainer(pid: number, containerId: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, "utf8").includes(containerId);
  } catch {
    return false;
  }
}
