import protobuf from "protobufjs/minimal.js";

/**
 * The few messages of etcd's v3 API that the bench needs, by their published field numbers
 * (etcd.io/docs/v3.5/dev-guide/api_reference_v3). Answers are read only as far as the bench looks at them.
 */

const { Reader, Writer } = protobuf;
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** PutRequest { key = 1, value = 2 } */
export function putRequest(key: string, value: string | Uint8Array): Buffer {
  const bytes = typeof value === "string" ? bytesOf(value) : value;
  return asBuffer(Writer.create().uint32(10).bytes(bytesOf(key)).uint32(18).bytes(bytes));
}

/** RangeRequest { key = 1 }: linearizable, since `serializable` is not set. */
export function rangeRequest(key: string): Buffer {
  return asBuffer(Writer.create().uint32(10).bytes(bytesOf(key)));
}

/** What has texts alone in its fields 1, 2, …: AuthUserAddRequest, AuthRoleAddRequest, AuthUserGrantRoleRequest, AuthenticateRequest. */
export function textsRequest(...texts: readonly string[]): Buffer {
  const writer = Writer.create();
  for (const [at, text] of texts.entries()) writer.uint32(((at + 1) << 3) | 2).string(text);
  return asBuffer(writer);
}

/** Of an AuthenticateResponse { token = 2 }. */
export function readToken(bytes: Uint8Array): string {
  let token = "";
  fields(bytes, (field, reader) => {
    if (field !== 2) return false;
    token = reader.string();
    return true;
  });
  return token;
}

/** WatchRequest { create_request = 1 { key = 1, range_end = 2 } } with both ends 0: all keys. */
export function watchRequest(): Buffer {
  const all = new Uint8Array([0]);
  return asBuffer(Writer.create().uint32(10).fork().uint32(10).bytes(all).uint32(18).bytes(all).ldelim());
}

/** What a WatchResponse { created = 3, events = 11 { kv = 2 { key = 1 } } } tells. */
export function readWatchResponse(bytes: Uint8Array): { readonly created: boolean; readonly keys: readonly string[] } {
  const keys: string[] = [];
  let created = false;
  fields(bytes, (field, reader) => {
    if (field === 3) created = reader.bool();
    else if (field === 11) {
      fields(reader.bytes(), (eventField, event) => {
        if (eventField !== 2) return false;
        fields(event.bytes(), (valueField, value) => {
          if (valueField !== 1) return false;
          keys.push(new TextDecoder().decode(value.bytes()));
          return true;
        });
        return true;
      });
    } else return false;
    return true;
  });
  return { created, keys };
}

/** Of a StatusResponse { header = 1 { member_id = 2 }, leader = 4 }: whether the asked member leads. */
export function readLeads(bytes: Uint8Array): boolean {
  let member = 0;
  let leader = 0;
  fields(bytes, (field, reader) => {
    if (field === 1) {
      fields(reader.bytes(), (headerField, header) => {
        if (headerField !== 2) return false;
        member = Number(header.uint64());
        return true;
      });
    } else if (field === 4) leader = Number(reader.uint64());
    else return false;
    return true;
  });
  return leader !== 0 && leader === member;
}

type Reader = InstanceType<typeof Reader>;

/** Calls `read` at each field; what it does not read (false) is skipped. */
function fields(bytes: Uint8Array, read: (field: number, reader: Reader) => boolean): void {
  const reader = Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (!read(tag >>> 3, reader)) reader.skipType(tag & 7);
  }
}

function asBuffer(writer: InstanceType<typeof Writer>): Buffer {
  const bytes = writer.finish();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
