import type { PeerCertificate } from "node:tls";
import { IkadaError } from "../base/errors.js";
import { roleOf } from "../host/tls.js";
import { tokenOwner } from "../host/tokens.js";
import type { TokenHash } from "../host/tokens.js";

/** `admin` and `view` are people and programs with a token; `node` and `server` are parts of the cluster with a certificate. */
export type Role = "admin" | "view" | "node" | "server";

export interface Caller {
  readonly name: string;
  readonly role: Role;
}

/** A user of the API listener. */
export interface TokenUser extends TokenHash {
  readonly role: "admin" | "view";
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
  const ownerOf = tokenOwner(users);
  return ({ authorization }) => {
    if (authorization === undefined) return undefined;
    const token = bearerToken(authorization);
    if (token === undefined) {
      throw new IkadaError("Unauthenticated", "the authorization header is not of the form `Bearer <token>`");
    }
    const owner = ownerOf(token);
    if (owner) return { name: owner.name, role: owner.role };
    throw new IkadaError("Unauthenticated", "the token is not known", {
      hint: "check the token in the configuration of the client",
    });
  };
}

/** Certificates of one role. `mayCall`: only these names may, when given. */
export function certificateAuthentication(role: "node" | "server", mayCall?: (name: string) => boolean): Authenticate {
  return ({ certificate }) => {
    if (!certificate) return undefined;
    const peer = roleOf(certificate);
    if (peer?.role !== role || (mayCall && !mayCall(peer.name))) {
      const who = peer ? `${peer.role} "${peer.name}"` : "this certificate";
      throw new IkadaError("Unauthenticated", `${who} is not a ${role} that may call here`);
    }
    return { name: peer.name, role };
  };
}

function bearerToken(authorization: string): string | undefined {
  return /^bearer ([\x21-\x7e]{1,512})$/i.exec(authorization)?.[1];
}
