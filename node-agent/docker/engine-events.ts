import type { IncomingMessage } from "node:http";
import type { Log } from "../../src/base/env.js";
import { IkadaError } from "../../src/base/errors.js";
import type { ContainerEvent, ContainerObserver } from "../core/runtime.js";
import { engineError, type Engine } from "./engine.js";

/** Follows the engine's events with these labels, and connects again with a growing pause while no engine answers. */
export function followEvents(
  engine: Engine,
  labels: readonly string[],
  observer: ContainerObserver,
  log: Log,
): { close(): void } {
  let closed = false;
  let stream: IncomingMessage | undefined;
  let wake: (() => void) | undefined;
  let pauseMs = pauseMsMin;
  let lost = false;

  const connection = async (): Promise<void> => {
    const filters = JSON.stringify({ type: ["container"], label: labels, event: [...eventTypes] });
    stream = await engine.openStream("events", { path: "/events", method: "GET", options: { filters } });
    if (closed) return;
    stream.setEncoding("utf8");
    [pauseMs, lost] = [pauseMsMin, false];
    observer.onOpen();
    let rest = "";
    for await (const chunk of stream) {
      if (closed) return;
      const lines = (rest + String(chunk)).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > lineBytesMax) throw new IkadaError("TooLarge", "docker: events: a line without end");
      for (const line of lines) {
        const event = parseEvent(line);
        if (event !== undefined) observer.onEvent(event);
      }
    }
    throw new IkadaError("Unavailable", "docker: events: the engine closed the stream");
  };

  const follow = async (): Promise<void> => {
    for (;;) {
      try {
        await connection();
      } catch (caught) {
        stream?.destroy();
        if (closed) return;
        if (!lost) {
          lost = true;
          const error = engineError("events", caught);
          log.warn("container engine lost", { error: error.message });
          observer.onLost(error);
        }
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pauseMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      if (closed) return;
      pauseMs = Math.min(pauseMs * 2, pauseMsMax);
    }
  };
  // Not before this call has returned.
  queueMicrotask(() => void follow());
  return {
    close() {
      closed = true;
      stream?.destroy();
      wake?.();
    },
  };
}

const pauseMsMin = 50;
const pauseMsMax = 2_000;
const lineBytesMax = 256 * 1024;
const eventTypes = ["create", "start", "die", "oom", "destroy"] as const;

function parseEvent(line: string): ContainerEvent | undefined {
  if (line.trim() === "") return undefined;
  try {
    const event = JSON.parse(line) as { Action?: string; Actor?: { ID?: string } };
    const type = eventTypes.find((known) => known === event.Action);
    const containerId = event.Actor?.ID;
    return type === undefined || containerId === undefined ? undefined : { type, containerId };
  } catch {
    return undefined;
  }
}
