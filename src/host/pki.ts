import "reflect-metadata";
import { randomBytes, webcrypto } from "node:crypto";
import { isIP } from "node:net";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { IkadaError } from "../base/errors.js";
import type { Identity, PeerRole } from "./tls.js";

/** The cluster's own certificate authority: ECDSA P-256 throughout, names only from configuration. */

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const dayMs = 24 * 60 * 60 * 1000;
/** Machines' clocks differ; a fresh certificate must not be "not yet valid" on one that is behind. */
const clockSkewMs = 5 * 60 * 1000;

/** PEM texts of the authority; whoever has the key can be anyone. */
export type Authority = Identity;

export interface CertificateRequest {
  readonly role: PeerRole;
  /** Common name: the server's or node's name, or the user's. */
  readonly name: string;
  /** Host names and IP addresses under which it may be reached: required for servers; of nodes, for their metrics. */
  readonly addresses: readonly string[];
  /** Validity; a fraction is allowed. */
  readonly days: number;
}

/** A new self-signed authority. `days` defaults to ten years. */
export async function createAuthority(name: string, days = 3650): Promise<Authority> {
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ O: ["ikada:authority"] }, { CN: [name] }],
    ...validity(days),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: certificate.toString("pem"), key: await exportKey(keys.privateKey) };
}

/**
 * A new key and a certificate of `authority` for it, subject `O=ikada:<role>, CN=<name>`. All may dial; who has addresses
 * may serve there too: servers, and nodes their metrics. Clients look at the role, so a node can't pass for a server.
 * @throws IkadaError Invalid when the request makes no sense
 */
export async function issueCertificate(authority: Authority, request: CertificateRequest): Promise<Identity> {
  checkRequest(request);
  const issuer = new X509Certificate(authority.certificate);
  const signingKey = await importKey(authority.key);
  const keys = await generateKeys();
  const usages = [ExtendedKeyUsage.clientAuth, ...(request.addresses.length > 0 ? [ExtendedKeyUsage.serverAuth] : [])];
  const names = request.addresses.map((address) =>
    isIP(address) === 0 ? { type: "dns" as const, value: address } : { type: "ip" as const, value: address },
  );
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ O: [`ikada:${request.role}`] }, { CN: [request.name] }],
    issuer: issuer.subjectName,
    ...validity(request.days),
    signingAlgorithm: algorithm,
    signingKey,
    publicKey: keys.publicKey,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(usages),
      ...(names.length > 0 ? [new SubjectAlternativeNameExtension(names)] : []),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { certificate: certificate.toString("pem"), key: await exportKey(keys.privateKey) };
}

function checkRequest(request: CertificateRequest): void {
  const named = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
  // X.520's upper bound of a common name.
  if (!named.test(request.name) || request.name.length > 64) {
    const hint = "use lower case letters, digits, '-' and '.', at most 64";
    throw new IkadaError("Invalid", `certificate name ${JSON.stringify(request.name)}`, { hint });
  }
  if (!(request.days > 0))
    throw new IkadaError("Invalid", `certificate for ${request.name}: validity of ${request.days} days`);
  if (request.role === "server" && request.addresses.length === 0) {
    const hint = "name the addresses under which it is reached";
    throw new IkadaError("Invalid", `certificate for server ${request.name}: no addresses`, { hint });
  }
}

function validity(days: number): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - clockSkewMs), notAfter: new Date(now + days * dayMs) };
}

/** 16 random bytes with a positive first one (RFC 5280 4.1.2.2: positive, up to 20 bytes). */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString("hex");
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  return await webcrypto.subtle.importKey("pkcs8", PemConverter.decodeFirst(pem), algorithm, true, ["sign"]);
}
