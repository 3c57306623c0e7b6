import type { Readable } from "node:stream";
import type Docker from "dockerode";

/** What an engine tells of one of its containers. */
export interface EngineEvent {
  /** `start`, `die`, `exec_create: /bin/true`, … */
  readonly action: string;
  readonly id: string;
  /** The container's labels, and what belongs to the action. */
  readonly attributes: Readonly<Record<string, string>>;
  /** By the engine's clock, in nanoseconds since 1970; more than a number holds. */
  readonly atNano: bigint;
}

export interface EngineEventStream {
  /** When the engine or `close` ends it. */
  readonly ended: Promise<void>;
  close(): void;
}

export interface EngineEventOptions {
  /** As the engine's API takes them, besides `type`. @default all */
  readonly filters?: Readonly<Record<string, readonly string[]>>;
  /** Tells those again that came at this time or later, as far as the engine has them: its last 256, of this run of its process. */
  readonly sinceNano?: bigint;
}

/** Gives `take` each event of a container. Resolves once nothing is missed any more. @throws what dockerode throws when no engine answers */
export async function followEngineEvents(
  docker: Docker,
  options: EngineEventOptions,
  take: (event: EngineEvent) => void,
): Promise<EngineEventStream> {
  const { filters, sinceNano } = options;
  const stream = (await docker.getEvents({
    filters: { ...filters, type: ["container"] } as never,
    ...(sinceNano !== undefined && { since: secondsOf(sinceNano) as never }),
  })) as Readable;
  let rest = "";
  stream.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") take(parse(line));
  });
  const ended = new Promise<void>((resolve) => {
    stream.once("close", resolve);
    stream.once("end", resolve);
    stream.once("error", () => resolve());
  });
  return { ended, close: () => stream.destroy() };
}

function parse(line: string): EngineEvent {
  const { Action, Actor } = JSON.parse(line) as { Action: string; Actor: { ID: string; Attributes: never } };
  const atNano = BigInt(/"timeNano":(\d+)/.exec(line)?.[1] ?? 0);
  return { action: Action, id: Actor.ID, attributes: Actor.Attributes ?? {}, atNano };
}

function secondsOf(nano: bigint): string {
  return `${nano / nanosPerSecond}.${String(nano % nanosPerSecond).padStart(9, "0")}`;
}

const nanosPerSecond = 1_000_000_000n;
