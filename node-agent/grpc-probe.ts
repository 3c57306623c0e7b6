import { Client, credentials } from "@grpc/grpc-js";
import type { Done } from "../src/base/env.js";
import { IkadaError } from "../src/base/errors.js";
import type { GrpcProbeRequest } from "./core/prober.js";

/**
 * Asks a server for its health by `grpc.health.v1.Health/Check` (github.com/grpc/grpc/blob/master/doc/health-checking.md), without TLS as in
 * Kubernetes. The two messages have one field each, so that they are written and read here.
 */
export function grpcProbe({ host, port, service, timeoutMs }: GrpcProbeRequest, done: Done<string>): void {
  const where = `${host}:${port}`;
  const client = new Client(where, credentials.createInsecure(), {
    "grpc.primary_user_agent": "ikada-probe",
    "grpc.max_receive_message_length": 4096,
    "grpc.use_local_subchannel_pool": 1,
  });
  client.makeUnaryRequest(
    "/grpc.health.v1.Health/Check",
    encodeRequest,
    decodeStatus,
    service,
    { deadline: Date.now() + timeoutMs },
    (error, status) => {
      client.close();
      if (error !== null) done(new IkadaError("Unavailable", `${where}: ${error.message}`, {}, error), "");
      else done(null, status ?? "UNKNOWN");
    },
  );
}

/** HealthCheckRequest: field 1 is the service's name. */
function encodeRequest(service: string): Buffer {
  if (service === "") return Buffer.alloc(0);
  const name = Buffer.from(service);
  const length: number[] = [];
  for (let rest = name.length; ; rest >>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.from([0x0a, ...length]), name]);
}

/** HealthCheckResponse: field 1 is the status; what else may come is passed over. */
function decodeStatus(bytes: Buffer): string {
  return statuses[bytes[0] === 0x08 ? (bytes[1] ?? 0) : 0] ?? "UNKNOWN";
}

const statuses = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
