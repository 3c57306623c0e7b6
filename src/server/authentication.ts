import { createHash, timingSafeEqual } from "node:crypto";
import type { PeerCertificate } from "node:tls";
import { IkadaError } from "../base/errors.js";
import { roleOf } from "../host/tls.js";

/** `admin` and `view` are people and programs with a token; `node` and `server` are parts of the cluster with a certificate. */
export type Role = "admin" | "view" | "node" | "server";

export interface Caller {
  readonly name: string;
  readonly role: Role;
}

/** A user of the API listener. */
export interface TokenUser {
  readonly name: string;
  readonly role: "admin" | "view";
  /** SHA-256 of the token in hex; the token itself is stored nowhere. */
  readonly sha256: string;
}

/** What a listener knows of a call before it reads a message. */
export interface Credentials {
  /** The header `authorization`, when it came once. */
  readonly authorization: string | undefined;
  readonly certificate: PeerCertificate | undefined;
}

/** Who calls; undefined when the call brings no credentials at all. @throws IkadaError Unauthenticated when it brings wrong ones */
export type Authenticate = (credentials: Credentials) => Caller | undefined;

/** Bearer tokens. Certificates mean nothing here: what a node or server may do it may do on its own listener only. */
export function tokenAuthentication(users: readonly TokenUser[]): Authenticate {
  const known = users.map(({ name, role, sha256 }) => ({ name, role, hash: hashFromHex(name, sha256) }));
  return ({ authorization }) => {
    if (authorization === undefined) return undefined;
    const token = bearerToken(authorization);
    if (token === undefined) {
      throw new IkadaError("Unauthenticated", "the authorization header is not of the form `Bearer <token>`");
    }
    const hash = createHash("sha256").update(token).digest();
    // All are compared, always, so that the time tells nothing about which one was near.
    let found: Caller | undefined;
    for (const user of known) if (timingSafeEqual(user.hash, hash)) found = { name: user.name, role: user.role };
    if (found) return found;
    throw new IkadaError("Unauthenticated", "the token is not known", {
      hint: "check the token in the configuration of the client",
    });
  };
}

/** Certificates of one role. `names`: only these may call, when given. */
export function certificateAuthentication(role: "node" | "server", names?: ReadonlySet<string>): Authenticate {
  return ({ certificate }) => {
    if (!certificate) return undefined;
    const peer = roleOf(certificate);
    if (peer?.role !== role || (names && !names.has(peer.name))) {
      const who = peer ? `${peer.role} "${peer.name}"` : "this certificate";
      throw new IkadaError("Unauthenticated", `${who} is not a ${role} that may call here`);
    }
    return { name: peer.name, role };
  };
}

/** Whether a bearer token belongs to a user; for the metrics listener. */
export function tokenCheck(users: readonly TokenUser[]): (token: string | undefined) => boolean {
  const authenticate = tokenAuthentication(users);
  return (token) => {
    if (token === undefined) return false;
    try {
      return authenticate({ authorization: `Bearer ${token}`, certificate: undefined }) !== undefined;
    } catch (error) {
      if (error instanceof IkadaError && error.reason === "Unauthenticated") return false;
      throw error;
    }
  };
}

function bearerToken(authorization: string): string | undefined {
  return /^bearer ([\x21-\x7e]{1,512})$/i.exec(authorization)?.[1];
}

function hashFromHex(name: string, hex: string): Buffer {
  if (!/^[0-9a-f]{64}$/i.test(hex)) {
    throw new IkadaError("Invalid", `user ${name}: sha256 is not 64 hex digits`, {
      hint: "printf %s <token> | sha256sum",
    });
  }
  return Buffer.from(hex, "hex");
}
