import { IkadaError } from "../../sdk/index.js";

/** Runs a program to its end, or until it is interrupted: then, or when it fails, that is said and the exit code is 1. */
export async function runToEnd(main: (signal: AbortSignal) => Promise<void>): Promise<never> {
  const interrupted = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const)
    process.once(name, () => interrupted.abort(new Error(`${name}: the run was given up`)));
  try {
    await main(interrupted.signal);
  } catch (caught) {
    process.stderr.write(`${failureText(caught)}\n`);
    process.exitCode = 1;
  }
  // What was given up may still be waiting for something.
  process.exit();
}

function failureText(caught: unknown): string {
  if (!(caught instanceof IkadaError))
    return caught instanceof Error ? (caught.stack ?? caught.message) : String(caught);
  return [caught.message, caught.details.hint].filter((text) => text !== undefined).join("\n");
}
