import type { IncomingMessage } from "node:http";
import type { Log } from "../../src/base/env.js";
import { IkadaError } from "../../src/base/errors.js";
import type { ContainerEvent, ContainerObserver } from "../core/runtime.js";
import { engineError, type Engine } from "./engine.js";

interface FollowOptions {
  readonly engine: Engine;
  /** `name=value`, which containers have. */
  readonly labels: readonly string[];
  /** Whether a container has them: events of networks name it alone. */
  readonly isKnown: (containerId: string) => boolean;
  readonly observer: ContainerObserver;
  readonly log: Log;
}

/** Follows the engine's events of containers with these labels, and connects again with a growing pause while no engine answers. */
export function followEvents({ engine, labels, isKnown, observer, log }: FollowOptions): { close(): void } {
  let closed = false;
  let stream: IncomingMessage | undefined;
  let wake: (() => void) | undefined;
  let pauseMs = pauseMsMin;
  let lost = false;

  const connection = async (): Promise<void> => {
    const filters = JSON.stringify({ type: ["container", "network"], event: Object.keys(eventTypes) });
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
        const event = parseEvent(line, (attributes) => labels.every((label) => hasLabel(attributes, label)), isKnown);
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
const eventTypes: Readonly<Record<string, ContainerEvent["type"]>> = {
  create: "create",
  start: "start",
  die: "die",
  oom: "oom",
  destroy: "destroy",
  pause: "pause",
  unpause: "unpause",
  update: "update",
  rename: "rename",
  connect: "network",
  disconnect: "network",
};

interface EngineEvent {
  readonly Type?: string;
  readonly Action?: string;
  readonly Actor?: { readonly ID?: string; readonly Attributes?: Readonly<Record<string, string>> };
}

/** The engine filters labels of containers, and would leave out what happens to their networks: so they are filtered here. */
function parseEvent(
  line: string,
  isOwn: (attributes: Readonly<Record<string, string>>) => boolean,
  isKnown: (containerId: string) => boolean,
): ContainerEvent | undefined {
  if (line.trim() === "") return undefined;
  let event: EngineEvent;
  try {
    event = JSON.parse(line) as EngineEvent;
  } catch {
    return undefined;
  }
  const { Type: what, Action: action = "", Actor: { ID: id = "", Attributes: attributes = {} } = {} } = event;
  const type = Object.hasOwn(eventTypes, action) ? eventTypes[action] : undefined;
  if (type === undefined) return undefined;
  if (what === "network") {
    const { container = "" } = attributes;
    return type === "network" && isKnown(container) ? { type, containerId: container } : undefined;
  }
  return id !== "" && isOwn(attributes) ? { type, containerId: id } : undefined;
}

function hasLabel(attributes: Readonly<Record<string, string>>, label: string): boolean {
  const equals = label.indexOf("=");
  return attributes[label.slice(0, equals)] === label.slice(equals + 1);
}
