import type { AddressInfo, Server } from "node:net";
import { IkadaError } from "../base/errors.js";

/** Binds a server to `host:port`, port 0 for any, and gives the port. @throws IkadaError Unavailable when that can't be bound */
export async function listenAt(server: Server, address: string): Promise<number> {
  const { host, port } = splitAddress(address);
  await new Promise<void>((resolve, reject) => {
    // Stays for good: an accept that fails, for want of memory say, costs one connection; without a listener, the process.
    server.on("error", (error) => {
      const hint = "another process may have this port; see the configured addresses";
      reject(new IkadaError("Unavailable", `cannot listen on ${address}: ${error.message}`, { hint }, error));
    });
    server.listen(port, host, resolve);
  });
  return (server.address() as AddressInfo).port;
}

/** The parts of `host:port`. IPv6 addresses stand in brackets there, and without them here. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(":");
  const host = colon < 0 ? address : address.slice(0, colon);
  return { host: host.replace(/^\[(.*)\]$/, "$1"), port: Number(address.slice(colon + 1)) };
}
