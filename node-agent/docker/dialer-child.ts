import { connect, type Socket } from "node:net";

/**
 * Runs in a Pod's network namespace and makes connections there. The sockets themselves are handed to the agent: a socket stays in the namespace
 * it was made in, so nothing passes through this process.
 */

/** Where servers of a Pod that listen on localhost are; the second when nobody is at the first. */
const hosts = ["127.0.0.1", "::1"] as const;

process.on("message", (message) => {
  const { id, port, timeoutMs } = message as { id: number; port: number; timeoutMs: number };
  dial(id, port, timeoutMs, 0);
});
process.on("disconnect", () => process.exit(0));
process.send?.({ ready: true });

function dial(id: number, port: number, timeoutMs: number, at: number): void {
  const socket = connect({ host: hosts[at] as string, port });
  // What the server says first is for the agent to read.
  socket.pause();
  const fail = (message: string): void => {
    clearTimeout(timer);
    socket.destroy();
    process.send?.({ id, error: message });
  };
  const timer = setTimeout(() => fail(`no connection within ${timeoutMs} ms`), timeoutMs);
  socket.on("connect", () => {
    clearTimeout(timer);
    hand(id, socket);
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    if (at + 1 >= hosts.length) fail("nothing listens on it");
    else if (error.code !== "ECONNREFUSED") fail(error.message);
    else {
      clearTimeout(timer);
      socket.destroy();
      dial(id, port, timeoutMs, at + 1);
    }
  });
}

function hand(id: number, socket: Socket): void {
  process.send?.({ id }, socket, {}, (error) => {
    if (error) socket.destroy();
  });
}
