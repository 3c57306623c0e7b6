import * as grpc from "@grpc/grpc-js";
import { IkadaError } from "../base/errors.js";
import type { Log } from "../base/env.js";
import { limits } from "../base/limits.js";
import { leaderHeader } from "../host/api-methods.js";
import { reasonedStatus, statusFromError } from "../host/grpc-errors.js";
import type { Authenticate, Caller, Credentials } from "./authentication.js";
import { permissionOf, requirePermission } from "./permissions.js";
import type { ServerMetrics } from "./server-metrics.js";

export interface GuardOptions {
  readonly authenticate: Authenticate;
  readonly metrics: ServerMetrics;
  readonly log: Log;
  /** API address of the leader, sent with every answer; undefined: not known, or not this listener's business. */
  readonly leaderAddress: () => string | undefined;
}

/** How many calls of a class may be in work at once. */
type Quota = "requests" | "watches" | "podStreams" | "backups" | "sessions" | "peers";
const quotaMax: Readonly<Record<Quota, number>> = {
  requests: limits.requestsInWorkMax,
  watches: limits.watchesPerReplicaMax,
  podStreams: limits.podStreamsMax,
  backups: limits.backupsMax,
  sessions: limits.agentSessionsMax,
  peers: 64,
};
const quotas: Readonly<Record<string, Quota>> = {
  "/ikada.api.v1.Resources/Watch": "watches",
  "/ikada.api.v1.Pods/Logs": "podStreams",
  "/ikada.api.v1.Cluster/Backup": "backups",
  "/ikada.api.v1.Pods/Exec": "podStreams",
  "/ikada.api.v1.Pods/Attach": "podStreams",
  "/ikada.api.v1.Pods/PortForward": "podStreams",
  "/ikada.api.v1.Pods/ReadArchive": "podStreams",
  "/ikada.api.v1.Pods/WriteArchive": "podStreams",
  "/ikada.api.v1.Images/Load": "podStreams",
  "/etcdserverpb.Watch/Watch": "watches",
  "/etcdserverpb.Lease/LeaseKeepAlive": "watches",
  "/ikada.agent.v1.Agent/Session": "sessions",
  "/ikada.agent.v1.Agent/PodStream": "podStreams",
  "/ikada.agent.v1.Replicas/ShareLiveness": "peers",
  "/ikada.agent.v1.Replicas/PodStream": "podStreams",
};

const etcdPaths = "/etcdserverpb.";

/** By this text etcd's clients know that they have to ask for a token first. */
function invalidToken(): IkadaError {
  return new IkadaError("Unauthenticated", "etcdserver: invalid auth token", {
    hint: "give the user `token` and the token as password, or the header `authorization: Bearer <token>`",
  });
}

/**
 * The door of a listener. Before a message of a call is read: who calls, may they, is there room. Denies by default.
 * Counts and times every call that came to it.
 */
export class Guard {
  readonly #options: GuardOptions;
  readonly #callers = new WeakMap<grpc.Metadata, Caller>();
  readonly #inWork = new Map<Quota, number>();

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** Who makes the call with this metadata. @throws IkadaError Unauthenticated when it did not come through the guard */
  callerOf(metadata: grpc.Metadata): Caller {
    const caller = this.#callers.get(metadata);
    if (caller) return caller;
    throw new IkadaError("Unauthenticated", "this call needs credentials");
  }

  readonly interceptor: grpc.ServerInterceptor = (method, call) => {
    const { metrics } = this.#options;
    const done = metrics.callStarted(method.path);
    let release: (() => void) | undefined;
    const finish = (code: grpc.status) => {
      release?.();
      release = undefined;
      done(code);
    };
    // The library's own answers pass no interceptor on their way out.
    const send = call.sendStatus.bind(call);
    call.sendStatus = (status) => {
      const reasoned = reasonedStatus(status);
      finish(reasoned.code ?? grpc.status.UNKNOWN);
      send(reasoned);
    };
    const guarded: grpc.ServerInterceptingCall = new grpc.ServerInterceptingCall(call, {
      start: (next) => {
        next({
          onReceiveMetadata: (metadata, pass) => {
            try {
              this.#admit(method.path, metadata, call);
              release = this.#take(quotas[method.path] ?? "requests");
            } catch (error) {
              this.#refuse(method.path, error);
              const { code, details, metadata: trailers } = statusFromError(error);
              guarded.sendStatus({ code, details, metadata: trailers });
              return;
            }
            this.#sendHeaders(guarded);
            pass(metadata);
          },
          onCancel: () => finish(grpc.status.CANCELLED),
        });
      },
      // The headers have gone before the handler ran.
      sendMetadata: (metadata, next) => next(metadata),
    });
    return guarded;
  };

  #admit(path: string, metadata: grpc.Metadata, call: grpc.ServerInterceptingCallInterface): void {
    const permission = permissionOf(path);
    if (permission === undefined) throw new IkadaError("Forbidden", `${path} has no permission that could allow it`);
    const header = metadata.get("authorization");
    // Where etcd's clients put it.
    const token = metadata.get("token");
    const authorization = header.length === 0 && token.length === 1 ? `Bearer ${String(token[0])}` : header[0];
    const caller = this.#callerBy(path, {
      authorization: header.length <= 1 && authorization !== undefined ? String(authorization) : undefined,
      // Read only when it is asked for: the runtime parses it each time.
      get certificate() {
        return call.getAuthContext().sslPeerCertificate;
      },
    });
    if (caller) this.#callers.set(metadata, caller);
    if (permission === "anyone") return;
    if (!caller) {
      if (path.startsWith(etcdPaths)) throw invalidToken();
      throw new IkadaError("Unauthenticated", "this call needs credentials", {
        hint: "send the header `authorization: Bearer <token>`, or use a certificate of a user",
      });
    }
    requirePermission(caller, permission, `call ${path}`);
  }

  #callerBy(path: string, credentials: Credentials): Caller | undefined {
    try {
      return this.#options.authenticate(credentials);
    } catch (caught) {
      throw path.startsWith(etcdPaths) ? invalidToken() : caught;
    }
  }

  #take(quota: Quota): () => void {
    const inWork = this.#inWork.get(quota) ?? 0;
    if (inWork >= quotaMax[quota]) {
      throw new IkadaError("Overloaded", `this replica has ${inWork} ${quota} in work, which is its limit`, {
        hint: "retry later, or connect to another server",
      });
    }
    this.#inWork.set(quota, inWork + 1);
    this.#options.metrics.inWork(quota, 1);
    return () => {
      this.#inWork.set(quota, (this.#inWork.get(quota) ?? 1) - 1);
      this.#options.metrics.inWork(quota, -1);
    };
  }

  /** At once and not with the first message: watchers know that they are connected, failed writers where the leader is. */
  #sendHeaders(call: grpc.ServerInterceptingCall): void {
    const headers = new grpc.Metadata();
    const leader = this.#options.leaderAddress();
    if (leader !== undefined) headers.set(leaderHeader, leader);
    call.sendMetadata(headers);
  }

  #refuse(path: string, caught: unknown): void {
    const error = IkadaError.from(caught);
    this.#options.log.info("call refused", { path, reason: error.reason, error: error.message });
  }
}
