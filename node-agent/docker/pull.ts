import { IkadaError } from "../../src/base/errors.js";
import { engineDeadlines, type Engine } from "./engine.js";

/** Pulls and waits for the end. The engine answers 200 first and reports failures inside the stream. */
export function pullImage(engine: Engine, reference: string): Promise<void> {
  return engine.call(`pull ${reference}`, engineDeadlines.pullMs, async (abortSignal) => {
    const stream = await engine.docker.createImage({ fromImage: reference, abortSignal });
    let rest = "";
    let failure: string | undefined;
    for await (const chunk of stream) {
      const lines = (rest + String(chunk)).split("\n");
      rest = (lines.pop() ?? "").slice(0, lineBytesMax);
      for (const line of lines) failure ??= failureIn(line);
    }
    failure ??= failureIn(rest);
    if (failure !== undefined) throw new IkadaError("Unavailable", `docker: pull ${reference}: ${failure}`);
  });
}

const lineBytesMax = 64 * 1024;

function failureIn(line: string): string | undefined {
  if (!line.includes('"error')) return undefined;
  try {
    const { error } = JSON.parse(line) as { error?: unknown };
    return typeof error === "string" ? error : undefined;
  } catch {
    return undefined;
  }
}
