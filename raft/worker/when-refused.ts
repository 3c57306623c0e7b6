import { connect } from "node:net";
import { splitAddress } from "../../src/host/listening.js";

const probeMsMax = 100;

/**
 * Calls `refused` when nobody listens at `host:port` any more, which a dead process's machine tells within a
 * millisecond; says nothing when somebody does, or when nothing is heard in time. A new gRPC channel finds out the same, but 60 to 100 ms later.
 */
export function whenRefused(address: string, refused: (reason: string) => void): void {
  const { host, port } = splitAddress(address);
  const socket = connect({ host, port, timeout: probeMsMax });
  socket.once("connect", () => socket.destroy());
  socket.once("timeout", () => socket.destroy());
  socket.once("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "ECONNREFUSED") refused(error.message);
  });
}
