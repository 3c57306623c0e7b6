import { Client, type ConnectOptions } from "../../sdk/index.js";
import type { AnsweringServer } from "../server/answering-server.js";

/** A client of one such server. */
export function connectTo(server: AnsweringServer, more: Partial<ConnectOptions> = {}): Promise<Client> {
  return Client.connect({ endpoints: [server.address], ca: server.ca, token: "secret", ...more });
}
