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

/** A user of the API listener, who comes with a token or with a certificate of this name. */
export interface User extends TokenHash {
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

/**
 * Bearer tokens, or certificates with the role `user`; who brings both is who the token says. Certificates of other roles mean nothing here:
 * what a node or server may do it may do on its own listener only.
 */
export function userAuthentication(users: readonly User[]): Authenticate {
  const ownerOf = tokenOwner(users);
  return (credentials) => {
    const { authorization } = credentials;
    if (authorization === undefined) return certifiedUser(users, credentials.certificate);
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

function certifiedUser(users: readonly User[], certificate: PeerCertificate | undefined): Caller | undefined {
  const peer = roleOf(certificate);
  if (peer?.role !== "user") return undefined;
  const user = users.find(({ name }) => name === peer.name);
  if (user) return { name: user.name, role: user.role };
  throw new IkadaError("Unauthenticated", `this server knows no user "${peer.name}"`, {
    hint: "name the user of the certificate under `users` in each server's configuration",
  });
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
