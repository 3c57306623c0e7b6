import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ReflectionService } from "@grpc/reflection";
import protobuf from "protobufjs";
import descriptors from "protobufjs/ext/descriptor.js";
import type { Listener } from "./listener.js";

/** Only what the API listener offers; the parts' own protocols are nobody else's business. */
const protoFile = fileURLToPath(new URL("../../../proto/api.proto", import.meta.url));

/** gRPC server reflection, v1 and v1alpha, for grpcurl and its like. */
export function addReflection(listener: Listener): void {
  const root = protobuf.parse(readFileSync(protoFile, "utf8"), new protobuf.Root(), { keepCase: true }).root;
  const { file } = root.toDescriptor("proto3");
  const fileDescriptorProtos = file.map((descriptor) =>
    Buffer.from(descriptors.FileDescriptorProto.encode(descriptor).finish()),
  );
  // The library reads nothing of a definition but its files.
  const definition = { format: "Protocol Buffer 3 DescriptorProto" as const, type: {}, fileDescriptorProtos };
  new ReflectionService({ "ikada.api.v1": { ...definition, ...codecs } }).addToServer(listener);
}

const unused = (): never => {
  throw new Error("the reflection service codes no messages of the API");
};
const codecs = { serialize: unused, deserialize: unused, fromObject: unused, toObject: unused };
