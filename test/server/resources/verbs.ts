import type * as grpc from "@grpc/grpc-js";
import type { ikada } from "#proto/api.js";
import type { AnyObject } from "../../../src/api/object.js";
import { kindNamed } from "../../../src/api/registry.js";
import { apiMethods } from "../../../src/host/api-methods.js";
import { callUnary } from "../../../src/host/grpc.js";
import { bearer, tokens } from "../harness.js";
import { wire } from "../objects.js";

type Options = ikada.api.v1.IWriteOptions;

const metadata = bearer(tokens.admin);
const encoder = new TextEncoder();

/** A reference to an object by any name of its kind, in the Namespace default where it has one. */
export function referenceTo(kind: string, name: string): ikada.api.v1.IObjectReference {
  const { group, version, kind: named, namespaced } = kindNamed(kind);
  return { group, version, kind: named, namespace: namespaced ? "default" : "", name };
}

/** The write verbs of one server, as an admin. */
export class Verbs {
  readonly #client: grpc.Client;

  constructor(client: grpc.Client) {
    this.#client = client;
  }

  get(kind: string, name: string, more: Omit<ikada.api.v1.IGetRequest, "reference"> = {}) {
    return callUnary(this.#client, apiMethods.get, { reference: referenceTo(kind, name), ...more }, { metadata });
  }

  create(object: AnyObject, options: Options = {}) {
    return callUnary(this.#client, apiMethods.create, { object: wire(object), options }, { metadata });
  }

  update(object: AnyObject, options: Options = {}, subresource = "") {
    return callUnary(this.#client, apiMethods.update, { object: wire(object), options, subresource }, { metadata });
  }

  apply(object: AnyObject, options: Options = {}) {
    return callUnary(this.#client, apiMethods.apply, { object: wire(object), options }, { metadata });
  }

  patch(kind: string, name: string, patch: unknown, more: Omit<ikada.api.v1.IPatchRequest, "reference" | "json"> = {}) {
    const request = { reference: referenceTo(kind, name), json: encoder.encode(JSON.stringify(patch)), ...more };
    return callUnary(this.#client, apiMethods.patch, request, { metadata });
  }

  delete(kind: string, name: string, more: Omit<ikada.api.v1.IDeleteRequest, "reference"> = {}) {
    return callUnary(this.#client, apiMethods.delete, { reference: referenceTo(kind, name), ...more }, { metadata });
  }

  scale(kind: string, name: string, replicas: number, options: Options = {}) {
    const request = { reference: referenceTo(kind, name), replicas, options };
    return callUnary(this.#client, apiMethods.scale, request, { metadata });
  }
}
