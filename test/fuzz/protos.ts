import { readdirSync } from "node:fs";
import { join } from "node:path";
import protobuf from "protobufjs";

/** What the .proto files of the project describe, by reflection: a method that is added there is tried here. */

export interface ApiMethod {
  /** `/package.Service/Name` */
  readonly path: string;
  readonly service: string;
  readonly request: protobuf.Type;
  readonly response: protobuf.Type;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

export function readMethods(folder: string): readonly ApiMethod[] {
  const root = new protobuf.Root();
  root.loadSync(
    readdirSync(folder)
      .filter((file) => file.endsWith(".proto"))
      .map((file) => join(folder, file)),
  );
  root.resolveAll();
  return servicesIn(root).flatMap((service) =>
    service.methodsArray.map((method) => ({
      path: `/${service.fullName.slice(1)}/${method.name}`,
      service: service.fullName.slice(1),
      request: method.resolvedRequestType!,
      response: method.resolvedResponseType!,
      requestStream: method.requestStream === true,
      responseStream: method.responseStream === true,
    })),
  );
}

function servicesIn(namespace: protobuf.NamespaceBase): protobuf.Service[] {
  return namespace.nestedArray.flatMap((each) => {
    if (each instanceof protobuf.Service) return [each];
    return each instanceof protobuf.Namespace ? servicesIn(each) : [];
  });
}
