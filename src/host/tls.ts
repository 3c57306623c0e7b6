import { readFileSync, statSync } from "node:fs";
import { isIP } from "node:net";
import { checkServerIdentity, createSecureContext } from "node:tls";
import type { PeerCertificate, SecureContextOptions } from "node:tls";
import * as grpc from "@grpc/grpc-js";
import { IkadaError } from "../base/errors.js";
import { channelOptions } from "./grpc.js";
import { splitAddress } from "./listening.js";

/** One TLS handshake, at either end. */
const handshakeMsMax = 5_000;

/** PEM texts. `certificate` may be a chain. */
export interface Identity {
  readonly certificate: string;
  readonly key: string;
}

export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
  readonly authority: string;
}

export interface TlsMaterial extends Identity {
  /** PEM of the authorities that peers are verified against. System roots are never used. */
  readonly authority: string;
}

/** What a certificate's subject says: `O=ikada:<role>, CN=<name>`. */
export type PeerRole = "server" | "node" | "user";
export interface PeerIdentity {
  readonly role: PeerRole;
  readonly name: string;
}

/**
 * Reads the three PEM files. Refuses a key that others than the owner may read.
 * @throws IkadaError Invalid with the file's name
 */
export function loadTlsFiles(files: TlsFiles): TlsMaterial {
  const mode = readable(files.key, () => statSync(files.key)).mode;
  if (process.platform !== "win32" && (mode & 0o077) !== 0) {
    const hint = `chmod 600 ${files.key}`;
    throw new IkadaError(
      "Invalid",
      `${files.key}: a private key that others may read (mode ${(mode & 0o777).toString(8)})`,
      { hint },
    );
  }
  return {
    certificate: readable(files.certificate, () => readFileSync(files.certificate, "utf8")),
    key: readable(files.key, () => readFileSync(files.key, "utf8")),
    authority: readable(files.authority, () => readFileSync(files.authority, "utf8")),
  };
}

/** TLS 1.3 for a listener. `replace` swaps the certificate for new connections without a restart. */
export class ServerTls extends grpc.ServerCredentials {
  readonly #clientCertificate: "required" | "optional" | "none";

  /**
   * `clientCertificate: "required"` refuses connections without a certificate of the authority during the handshake. With "optional" such
   * connections are taken, and gRPC's calls on them have no peer certificate.
   */
  constructor(material: TlsMaterial, clientCertificate: "required" | "optional" | "none") {
    super(
      {
        requestCert: clientCertificate !== "none",
        rejectUnauthorized: clientCertificate === "required",
        minVersion: "TLSv1.3",
        handshakeTimeout: handshakeMsMax,
      },
      contextOptions(material),
    );
    this.#clientCertificate = clientCertificate;
  }

  replace(material: TlsMaterial): void {
    this.updateSecureContextOptions(contextOptions(material));
  }

  override _equals(other: grpc.ServerCredentials): boolean {
    return other === this;
  }

  get clientCertificate(): "required" | "optional" | "none" {
    return this.#clientCertificate;
  }
}

export interface ClientTls {
  /** PEM; the server's certificate has to come from one of these. */
  readonly authority: string;
  /** For mutual TLS. */
  readonly identity?: Identity;
  /** The server's name in its certificate when it is not the host of the address. */
  readonly serverName?: string;
}

/**
 * A channel with TLS 1.3 to `host:port`. The server must present a certificate of the authority with the role
 * "server" and the host among its names; connects at the first call, and again by itself.
 */
export function createClient(address: string, tls: ClientTls, options: grpc.ChannelOptions = {}): grpc.Client {
  const host = tls.serverName ?? splitAddress(address).host;
  const context = createSecureContext({
    minVersion: "TLSv1.3",
    ca: tls.authority,
    ...(tls.identity && { cert: tls.identity.certificate, key: tls.identity.key }),
  });
  const credentials = grpc.ChannelCredentials.createFromSecureContext(context, {
    // The library passes what it was told to send as SNI; the name to verify is always the host.
    checkServerIdentity: (_name, certificate) => checkServer(host, certificate),
  });
  limitHandshakes(credentials);
  return new grpc.Client(address, credentials, {
    ...channelOptions,
    // RFC 6066 forbids addresses as SNI, and Node warns about them.
    ...(isIP(host) !== 0 && { "grpc.ssl_target_name_override": "ikada" }),
    ...(tls.serverName !== undefined && { "grpc.ssl_target_name_override": tls.serverName }),
    ...options,
  });
}

/**
 * A server that accepts connections and never answers, a stopped process for one, would hold a socket per attempt
 * for ever: the library neither ends a TLS handshake nor gives up its socket when the channel is closed.
 */
function limitHandshakes(credentials: grpc.ChannelCredentials): void {
  const create = credentials._createSecureConnector.bind(credentials);
  credentials._createSecureConnector = (...values) => {
    const connector = create(...values);
    const connect = connector.connect.bind(connector);
    connector.connect = async (socket) => {
      const timer = setTimeout(() => socket.destroy(new Error("the TLS handshake took too long")), handshakeMsMax);
      try {
        return await connect(socket);
      } finally {
        clearTimeout(timer);
      }
    };
    return connector;
  };
}

/** Who a verified peer is; undefined when its subject is not one of ours. */
export function roleOf(certificate: PeerCertificate | undefined): PeerIdentity | undefined {
  const organization: unknown = certificate?.subject?.O;
  const name: unknown = certificate?.subject?.CN;
  // A subject with several O or CN gives arrays here; such a certificate is not one that issueCertificate makes.
  if (typeof organization !== "string" || typeof name !== "string" || name === "") return undefined;
  switch (organization) {
    case "ikada:server":
      return { role: "server", name };
    case "ikada:node":
      return { role: "node", name };
    case "ikada:user":
      return { role: "user", name };
    default:
      return undefined;
  }
}

function checkServer(host: string, certificate: PeerCertificate): Error | undefined {
  if (roleOf(certificate)?.role !== "server") {
    return new Error(`the certificate of ${host} is not one of an ikada server`);
  }
  return checkServerIdentity(host, certificate);
}

function contextOptions(material: TlsMaterial): SecureContextOptions {
  return {
    minVersion: "TLSv1.3",
    ca: material.authority,
    cert: material.certificate,
    key: material.key,
  };
}

function readable<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new IkadaError(
      "Invalid",
      `cannot read ${file}: ${message}`,
      { hint: "see the TLS files in the configuration" },
      error,
    );
  }
}
