import { IkadaError } from "../../base/errors.js";

/** Where the next page of a list starts. Opaque to clients. */
export interface ListToken {
  readonly revision: number;
  readonly prefix: string;
  /** The last key of the page before. */
  readonly after: string;
}

const format = 1;

export function encodeToken({ revision, prefix, after }: ListToken): string {
  return Buffer.from(JSON.stringify([format, revision, prefix, after.slice(prefix.length)])).toString("base64url");
}

/** @throws IkadaError BadRequest when it is not a token of this list */
export function decodeToken(text: string, prefix: string): ListToken {
  const parts = parse(text);
  const [given, revision, of, rest] = Array.isArray(parts) ? (parts as unknown[]) : [];
  if (given !== format || typeof revision !== "number" || !Number.isSafeInteger(revision) || revision < 0) fail();
  if (of !== prefix || typeof rest !== "string") fail();
  return { revision, prefix, after: prefix + rest };
}

function parse(text: string): unknown {
  if (text.length > 4096) fail();
  try {
    return JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
  } catch {
    return fail();
  }
}

function fail(): never {
  throw new IkadaError("BadRequest", "the continue token is not one of this list", {
    hint: "send the token of the page before with the same kind and namespace, or start again without one",
  });
}
