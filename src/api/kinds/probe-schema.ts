import { atomicList, int32, int64, intOrString, object, oneOf, refused, required, string } from "../schema.js";

const exec = object({ command: atomicList(string()) });

const httpHeaders = atomicList(object({ name: required(string()), value: string() }));

const httpGetFields = {
  path: string(),
  port: required(intOrString()),
  host: string(),
  scheme: oneOf(["HTTP", "HTTPS"]),
  httpHeaders,
};

const tcpSocket = object({ port: required(intOrString()), host: string() });

/** core/v1 Probe with Kubernetes' default numbers. */
export const probe = object({
  exec,
  httpGet: object({
    ...httpGetFields,
    path: string({ default: "/" }),
    scheme: oneOf(["HTTP", "HTTPS"], { default: "HTTP" }),
  }),
  tcpSocket,
  grpc: object({ port: required(int32({ minimum: 1, maximum: 65_535 })), service: string() }),
  initialDelaySeconds: int32(),
  periodSeconds: int32({ minimum: 1, default: 10 }),
  timeoutSeconds: int32({ minimum: 1, default: 1 }),
  successThreshold: int32({ minimum: 1, default: 1 }),
  failureThreshold: int32({ minimum: 1, default: 3 }),
  terminationGracePeriodSeconds: int64({ minimum: 1 }),
});

const handler = object({
  exec,
  httpGet: object(httpGetFields),
  tcpSocket: refused(tcpSocket, "a hook can't be a TCP connection, in Kubernetes neither: use exec or httpGet"),
  sleep: object({ seconds: required(int64()) }),
});

/** core/v1 Lifecycle. */
export const lifecycle = object({ postStart: handler, preStop: handler, stopSignal: string() });
