import * as grpc from "@grpc/grpc-js";
import { apiMethods } from "../../src/host/api-methods.js";
import {
  bind,
  serveBidi,
  serveStream,
  serveUnary,
  shutDown,
  type CallContext,
  type Method,
} from "../../src/host/grpc.js";
import { createAuthority, issueCertificate, type Authority } from "../../src/host/pki.js";
import { ServerTls } from "../../src/host/tls.js";

/** What a server answers to a method, by the method's name in `apiMethods`; methods without one get no answer, ever. */
export type Answers = Partial<Record<keyof typeof apiMethods, (request: never) => Promise<object>>>;

const never = (): Promise<never> => new Promise(() => undefined);

let authority: Promise<Authority> | undefined;

/** A server of the API that answers as it is told, or not at all. */
export class AnsweringServer {
  readonly address: string;
  readonly ca: string;
  /** Headers of each call, in the order in which they came. */
  readonly headers: grpc.Metadata[];
  readonly #server: grpc.Server;

  private constructor(address: string, ca: string, headers: grpc.Metadata[], server: grpc.Server) {
    this.address = address;
    this.ca = ca;
    this.headers = headers;
    this.#server = server;
  }

  /** `leave`: methods that it does not know, as an older version would not. */
  static async start(answers: Answers = {}, leave: readonly (keyof Answers)[] = []): Promise<AnsweringServer> {
    const signer = await (authority ??= createAuthority("test"));
    const request = { role: "server", name: "one", addresses: ["127.0.0.1"], days: 1 } as const;
    const identity = await issueCertificate(signer, request);
    const server = new grpc.Server();
    const headers: grpc.Metadata[] = [];
    const wait = (_call: unknown, context: CallContext): Promise<never> => {
      headers.push(context.metadata);
      return never();
    };
    for (const [name, known] of Object.entries(apiMethods)) {
      if (leave.includes(name as keyof Answers)) continue;
      const method = known as Method<object, object, object, object>;
      const answer = answers[name as keyof Answers];
      if (method.requestStream) serveBidi(server, method, wait);
      else if (method.responseStream) serveStream(server, method, wait);
      else
        serveUnary(server, method, (message, context) => {
          headers.push(context.metadata);
          return answer?.(message as never) ?? never();
        });
    }
    const tls = new ServerTls({ ...identity, authority: signer.certificate }, "none");
    const port = await bind(server, "127.0.0.1:0", tls);
    return new AnsweringServer(`127.0.0.1:${port}`, signer.certificate, headers, server);
  }

  close(): Promise<void> {
    return shutDown(this.#server, 0);
  }
}
