import assert from "node:assert/strict";
import { createServer, type AddressInfo } from "node:net";
import { Server, ServerCredentials, status, type sendUnaryData, type ServerUnaryCall } from "@grpc/grpc-js";
import { grpcProbe } from "../../node-agent/grpc-probe.js";

interface Asked {
  readonly service: string;
}

/** A health service as the protocol has it: SERVING for "", NOT_SERVING for "sick", silence for "slow", NOT_FOUND for others. */
function healthServer(): Promise<{ readonly port: number; readonly close: () => void }> {
  const server = new Server();
  const check = {
    path: "/grpc.health.v1.Health/Check",
    requestStream: false,
    responseStream: false,
    requestSerialize: ({ service }: Asked) => Buffer.from(service),
    // Field 1, a string; absent for the server as a whole.
    requestDeserialize: (bytes: Buffer) => ({ service: bytes.subarray(2).toString() }),
    responseSerialize: (code: number) => Buffer.from([0x08, code]),
    responseDeserialize: (bytes: Buffer) => bytes[1] ?? 0,
  };
  server.addService(
    { check },
    {
      check: (call: ServerUnaryCall<Asked, number>, answer: sendUnaryData<number>) => {
        const { service } = call.request;
        const code = service === "" ? 1 : service === "sick" ? 2 : undefined;
        if (service === "slow") return;
        if (code === undefined) answer({ code: status.NOT_FOUND, details: "unknown service" });
        else answer(null, code);
      },
    },
  );
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve({ port, close: () => server.forceShutdown() }),
    );
  });
}

function ask(port: number, service: string, timeoutMs = 20_000): Promise<string> {
  return new Promise((resolve) =>
    grpcProbe({ host: "127.0.0.1", port, service, timeoutMs }, (error, state) => resolve(error?.message ?? state)),
  );
}

describe("gRPC probe", () => {
  it("tells what the health service says, or why it says nothing", async () => {
    const { port, close } = await healthServer();
    try {
      assert.equal(await ask(port, ""), "SERVING");
      assert.equal(await ask(port, "sick"), "NOT_SERVING");
      assert.match(await ask(port, "none"), /NOT_FOUND: unknown service/);
      assert.match(await ask(port, "slow", 200), /DEADLINE_EXCEEDED/);
    } finally {
      close();
    }
  });

  it("of a port where nobody listens, or somebody who speaks something else", async () => {
    const other = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
    await new Promise((resolve) => other.once("listening", resolve));
    const { port } = other.address() as AddressInfo;
    assert.match(await ask(port, "", 2_000), /UNAVAILABLE|DEADLINE_EXCEEDED|INTERNAL/);
    other.close();
    assert.match(await ask(port, "", 2_000), /UNAVAILABLE|DEADLINE_EXCEEDED/);
  });
});
