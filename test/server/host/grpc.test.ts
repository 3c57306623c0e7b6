import assert from "node:assert/strict";
import * as http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { connect } from "node:tls";
import * as grpc from "@grpc/grpc-js";
import { ikada } from "#proto/api.js";
import { IkadaError } from "../../../src/base/errors.js";
import {
  bind,
  callBidi,
  callServerStream,
  callUnary,
  method,
  readMessages,
  readStream,
  serveBidi,
  serveStream,
  serveUnary,
  shutDown,
  writeMessage,
} from "../../../src/host/grpc.js";
import type { CallContext } from "../../../src/host/grpc.js";
import { errorFromStatus, statusFromError } from "../../../src/host/grpc-errors.js";
import { createAuthority, issueCertificate } from "../../../src/host/pki.js";
import type { Authority } from "../../../src/host/pki.js";
import { createClient, roleOf, ServerTls } from "../../../src/host/tls.js";
import type { Identity } from "../../../src/host/tls.js";

const { Resources } = ikada.api.v1;
const get = method(Resources.prototype.get, ikada.api.v1.GetRequest, ikada.api.v1.GetResponse);
const watch = method(Resources.prototype.watch, ikada.api.v1.WatchRequest, ikada.api.v1.WatchEvent);
const echo = method(
  { path: "/test.Echo/Talk", requestStream: true, responseStream: true },
  ikada.api.v1.LogsChunk,
  ikada.api.v1.LogsChunk,
);

describe("gRPC over our own certificates", () => {
  let authority: Authority;
  let serverIdentity: Identity;
  let nodeIdentity: Identity;
  let server: grpc.Server;
  let port: number;
  let seen: CallContext | undefined;
  let answer: (request: ikada.api.v1.GetRequest, context: CallContext) => Promise<object>;
  const clients: grpc.Client[] = [];

  before(async () => {
    authority = await createAuthority("test");
    serverIdentity = await issueCertificate(authority, {
      role: "server",
      name: "one",
      addresses: ["127.0.0.1", "localhost"],
      days: 1,
    });
    nodeIdentity = await issueCertificate(authority, { role: "node", name: "worker", addresses: [], days: 1 });
    server = new grpc.Server();
    serveUnary(server, get, (request, context) => {
      // While the call lasts: its certificate is that of the connection, which it knows no more once it is over.
      seen = { ...context };
      return answer(request, context);
    });
    serveStream(server, watch, async (call, context) => {
      for (let revision = 1; revision <= 500; revision++) await writeMessage(call, { revision }, context.signal);
      if (call.request.kind === "Broken") throw new IkadaError("Compacted", "gone", { revision: 7 });
    });
    serveBidi(server, echo, async (call, context) => {
      for await (const chunk of readMessages(call, context.signal)) await writeMessage(call, chunk, context.signal);
    });
    const material = { ...serverIdentity, authority: authority.certificate };
    port = await bind(server, "127.0.0.1:0", new ServerTls(material, "required"));
  });

  after(async () => {
    for (const client of clients) client.close();
    await shutDown(server, 100);
  });

  function client(identity: Identity | undefined = nodeIdentity, trusted = authority): grpc.Client {
    const made = createClient(`127.0.0.1:${port}`, {
      authority: trusted.certificate,
      ...(identity && { identity }),
    });
    clients.push(made);
    return made;
  }

  it("carries an error with all its details", async () => {
    answer = () => {
      throw new IkadaError("Invalid", "Deployment web is invalid", {
        object: 'deployments.apps "web"',
        hint: "correct it",
        faults: [{ field: "spec.replicas", reason: "TypeMismatch", message: "must be a number" }],
        revision: 12,
      });
    };
    await assert.rejects(callUnary(client(), get, {}), (error: IkadaError) => {
      assert.equal(error.reason, "Invalid");
      assert.equal(error.message, "Deployment web is invalid");
      assert.deepEqual(error.details, {
        object: 'deployments.apps "web"',
        hint: "correct it",
        faults: [{ field: "spec.replicas", reason: "TypeMismatch", message: "must be a number" }],
        revision: 12,
      });
      return true;
    });
  });

  it("carries an error whose texts can't be encoded as they are", async () => {
    answer = () => {
      throw new IkadaError("Invalid", `a lone \ud800 and a pair that is cut: ${"😀".repeat(600)}`, {
        object: "\udc00",
      });
    };
    await assert.rejects(callUnary(client(), get, {}), (error: IkadaError) => {
      assert.equal(error.reason, "Invalid");
      assert.match(error.message, /^a lone \ufffd and a pair that is cut: 😀+\ufffd…$/u);
      assert.equal(error.details.object, "\ufffd");
      return true;
    });
  });

  it("keeps the trailers of a refusal below what libraries take, and leaves out what does not fit", async () => {
    const long = "ж".repeat(100_000);
    const fault = { field: long, reason: "Invalid", message: long } as const;
    const details = { object: long, hint: long, faults: Array.from({ length: 50 }, () => fault) };
    const { metadata, details: message } = statusFromError(new IkadaError("Invalid", long, details));
    const size = JSON.stringify(metadata.toHttp2Headers()).length + encodeURI(message).length;
    assert.ok(size < 8 * 1024, String(size));
    const short = { field: "spec.replicas", reason: "Invalid", message: "must be from 0 to 10, not 11" } as const;
    answer = () => {
      throw new IkadaError("Invalid", "much is wrong", { faults: Array.from({ length: 50 }, () => short) });
    };
    await assert.rejects(callUnary(client(), get, {}), (error: IkadaError) => {
      assert.deepEqual(
        error.details.faults,
        Array.from({ length: 50 }, () => short),
      );
      return true;
    });
  });

  it("names the caller by its certificate", async () => {
    answer = () => Promise.resolve({ object: { name: "x" } });
    const response = await callUnary(client(), get, { reference: { name: "x" } });
    assert.equal(response.object?.name, "x");
    assert.deepEqual(roleOf(seen?.certificate), { role: "node", name: "worker" });
  });

  it("refuses a caller without a certificate or of another authority", async () => {
    const foreign = await createAuthority("foreign");
    const stranger = await issueCertificate(foreign, { role: "node", name: "worker", addresses: [], days: 1 });
    answer = () => Promise.reject(new Error("must not be reached"));
    for (const identity of [stranger]) {
      await assert.rejects(callUnary(client(identity), get, {}), { reason: "Unavailable" });
    }
    const anonymous = createClient(`127.0.0.1:${port}`, { authority: authority.certificate });
    clients.push(anonymous);
    await assert.rejects(callUnary(anonymous, get, {}), { reason: "Unavailable" });
  });

  it("refuses a server that is not a server of the authority", async () => {
    const impostor = new grpc.Server();
    // A node may serve its metrics under its address, so only the role tells it from a server.
    const serving = await issueCertificate(authority, {
      role: "node",
      name: "worker",
      addresses: ["127.0.0.1"],
      days: 1,
    });
    const material = { ...serving, authority: authority.certificate };
    const itsPort = await bind(impostor, "127.0.0.1:0", new ServerTls(material, "none"));
    const deceived = createClient(`127.0.0.1:${itsPort}`, { authority: authority.certificate });
    await assert.rejects(callUnary(deceived, get, {}), { reason: "Unavailable" });
    deceived.close();
    await assert.rejects(callUnary(client(nodeIdentity, await createAuthority("other")), get, {}), {
      reason: "Unavailable",
    });
    await shutDown(impostor, 0);
  });

  it("speaks nothing older than TLS 1.3", async () => {
    const outcome = await new Promise<string>((resolve) => {
      const socket = connect(
        {
          host: "127.0.0.1",
          port,
          ca: authority.certificate,
          cert: nodeIdentity.certificate,
          key: nodeIdentity.key,
          maxVersion: "TLSv1.2",
        },
        () => {
          resolve(`connected with ${String(socket.getProtocol())}`);
          socket.destroy();
        },
      );
      socket.on("error", () => resolve("refused"));
    });
    assert.equal(outcome, "refused");
  });

  it("ends a call at its deadline and at its signal, on both sides", async () => {
    const aborted: string[] = [];
    const caller = client();
    answer = () => Promise.resolve({});
    // A call whose time is over before there is a connection would never be seen by the server.
    await callUnary(caller, get, {});
    answer = (_request, context) =>
      new Promise((_resolve, reject) => {
        context.signal.addEventListener("abort", () => {
          aborted.push("server saw it");
          reject(new IkadaError("Cancelled", "gone"));
        });
      });
    await assert.rejects(callUnary(caller, get, {}, { deadlineMs: 200 }), { reason: "Deadline" });
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 200);
    await assert.rejects(callUnary(caller, get, {}, { signal: controller.signal }), { reason: "Cancelled" });
    for (let tries = 0; aborted.length < 2 && tries < 1_000; tries += 1)
      await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(aborted.length, 2);
  });

  it("streams with backpressure and ends with the server's error", async () => {
    const revisions: number[] = [];
    const read = async (kind: string) => {
      for await (const event of readStream(callServerStream(client(), watch, { kind }))) revisions.push(event.revision);
    };
    await read("Fine");
    assert.equal(revisions.length, 500);
    await assert.rejects(
      read("Broken"),
      (error: IkadaError) => error.reason === "Compacted" && error.details.revision === 7,
    );
  });

  it("talks both ways", async () => {
    const call = callBidi(client(), echo);
    call.write({ data: new Uint8Array([1, 2]) });
    call.end();
    const got: number[] = [];
    for await (const chunk of readStream<ikada.api.v1.LogsChunk>(call)) got.push(...chunk.data);
    assert.deepEqual(got, [1, 2]);
  });

  it("replaces its certificate without a restart", async () => {
    const tls = new ServerTls({ ...serverIdentity, authority: authority.certificate }, "none");
    const renewing = new grpc.Server();
    const itsPort = await bind(renewing, "127.0.0.1:0", tls);
    const serial = () =>
      new Promise<string>((resolve, reject) => {
        const socket = connect(
          { host: "127.0.0.1", port: itsPort, ca: authority.certificate, ALPNProtocols: ["h2"] },
          () => {
            resolve(socket.getPeerCertificate().serialNumber);
            socket.destroy();
          },
        );
        socket.on("error", reject);
      });
    const before = await serial();
    const renewed = await issueCertificate(authority, {
      role: "server",
      name: "one",
      addresses: ["127.0.0.1"],
      days: 1,
    });
    tls.replace({ ...renewed, authority: authority.certificate });
    assert.notEqual(await serial(), before);
    await shutDown(renewing, 0);
  });

  it("takes a call that a closing server cut off for one that another server may answer", async () => {
    const closing = http2.createServer();
    closing.on("stream", (stream) => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.close(http2.constants.NGHTTP2_NO_ERROR);
    });
    await new Promise<void>((resolve) => closing.listen(0, "127.0.0.1", resolve));
    const { port: closingPort } = closing.address() as AddressInfo;
    const client = new grpc.Client(`127.0.0.1:${closingPort}`, grpc.credentials.createInsecure());
    await assert.rejects(callUnary(client, get, {}), { reason: "Unavailable" });
    await assert.rejects(readStream(callServerStream(client, watch, {})).next(), { reason: "Unavailable" });
    client.close();
    await new Promise((resolve) => closing.close(resolve));
  });

  it("maps what is no gRPC error to Internal", () => {
    assert.equal(errorFromStatus(new Error("boom")).reason, "Internal");
  });
});
