import { once } from "node:events";
import type { RemoteProcess, TerminalSize } from "../sdk/index.js";

export interface TerminalUse {
  /** What is typed, or piped in, is sent. */
  readonly stdin: boolean;
  /** Keys are sent as they are typed, and the size of this terminal with them. */
  readonly tty: boolean;
}

/** Of this process's terminal; undefined when its output is none. */
export function terminalSize(): TerminalSize | undefined {
  const { columns, rows, isTTY } = process.stdout;
  return isTTY && columns > 0 && rows > 0 ? { columns, rows } : undefined;
}

/**
 * Joins this process's input and output with a remote one's, until that ends. Neither side is read faster than the other takes.
 * @throws IkadaError as the remote process's output
 */
export async function joinTerminal(remote: RemoteProcess, { stdin, tty }: TerminalUse): Promise<void> {
  const release = stdin ? sendInput(remote, tty) : () => undefined;
  const resized = (): void => {
    const size = terminalSize();
    if (size) remote.resize(size);
  };
  // Node turns SIGWINCH into this.
  if (tty) process.stdout.on("resize", resized);
  try {
    for await (const { stream, data } of remote) {
      const out = stream === "stderr" ? process.stderr : process.stdout;
      if (!out.write(data)) await once(out, "drain");
    }
  } finally {
    process.stdout.off("resize", resized);
    release();
  }
}

function sendInput(remote: RemoteProcess, tty: boolean): () => void {
  const { stdin } = process;
  const isRaw = tty && stdin.isTTY;
  const send = (chunk: Buffer): void => {
    stdin.pause();
    remote.write(chunk).then(
      () => stdin.resume(),
      // The process has ended; its output says how.
      () => undefined,
    );
  };
  const end = (): void => remote.end();
  if (isRaw) stdin.setRawMode(true);
  stdin.on("data", send);
  stdin.once("end", end);
  return () => {
    stdin.off("data", send);
    stdin.off("end", end);
    stdin.pause();
    if (isRaw) stdin.setRawMode(false);
    // What nobody reads any more must not keep this process from ending.
    stdin.unref?.();
  };
}
