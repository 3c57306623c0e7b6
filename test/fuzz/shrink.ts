import type { Request } from "./requests.js";
import type { WireField } from "./wire.js";

/** Whether a smaller request still shows the fault. */
export type Shows = (request: Request) => Promise<boolean>;

const triesMax = 300;

/** The smallest request found that still shows the fault: parts are left out, texts are cut, as long as it does. */
export async function shrink(request: Request, shows: Shows): Promise<Request> {
  let smallest = request;
  let tries = 0;
  for (let isSmaller = true; isSmaller;) {
    isSmaller = false;
    for (const candidate of smallerRequests(smallest)) {
      if (tries++ >= triesMax) return smallest;
      if (!(await shows(candidate))) continue;
      smallest = candidate;
      isSmaller = true;
      break;
    }
  }
  return smallest;
}

export function* smallerRequests(request: Request): Generator<Request> {
  const { damage, ...undamaged } = request;
  if (damage) yield undamaged;
  for (const at of request.messages.keys()) yield { ...request, messages: request.messages.toSpliced(at, 1) };
  for (const name of Object.keys(request.headers)) {
    if (name === "authorization" || name === "grpc-timeout") continue;
    yield { ...request, headers: Object.fromEntries(Object.entries(request.headers).filter(([key]) => key !== name)) };
  }
  for (const [at, fields] of request.messages.entries())
    for (const smaller of smallerFields(fields)) yield { ...request, messages: request.messages.with(at, smaller) };
}

function* smallerFields(fields: readonly WireField[]): Generator<readonly WireField[]> {
  if (fields.length > 3) {
    yield fields.slice(0, fields.length / 2);
    yield fields.slice(fields.length / 2);
  }
  for (const at of fields.keys()) yield fields.toSpliced(at, 1);
  for (const [at, field] of fields.entries()) {
    for (const value of smallerValues(field.value)) yield fields.with(at, { ...field, value });
  }
}

function* smallerValues(value: WireField["value"]): Generator<WireField["value"]> {
  if (typeof value === "bigint") return;
  if (!(value instanceof Uint8Array)) {
    yield* smallerFields(value as readonly WireField[]);
    return;
  }
  const json = parsed(value);
  if (typeof json === "object" && json !== null) {
    for (const smaller of smallerJson(json)) yield Buffer.from(JSON.stringify(smaller));
    return;
  }
  if (value.length < 2) return;
  yield value.subarray(0, value.length / 2);
  yield value.subarray(value.length / 2);
  if (value.length < 200)
    for (const at of value.keys()) yield Buffer.concat([value.subarray(0, at), value.subarray(at + 1)]);
}

function* smallerJson(value: unknown): Generator {
  if (typeof value === "string" && value.length > 1) {
    yield value.slice(0, value.length / 2);
    yield value.slice(value.length / 2);
  } else if (Array.isArray(value)) {
    const items = value as readonly unknown[];
    for (const at of items.keys()) yield items.toSpliced(at, 1);
    for (const [at, item] of items.entries()) for (const smaller of smallerJson(item)) yield items.with(at, smaller);
  } else if (typeof value === "object" && value !== null) {
    const members = Object.entries(value);
    for (const [name] of members) yield objectOf(members.filter(([other]) => other !== name));
    for (const [name, part] of members)
      for (const smaller of smallerJson(part))
        yield objectOf(members.map(([other, old]) => [other, other === name ? smaller : old]));
  }
}

/** Also with a member called `__proto__`. */
function objectOf(members: readonly (readonly [string, unknown])[]): object {
  return Object.fromEntries(members);
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8")) as unknown;
  } catch {
    return undefined; // Not JSON: cut as bytes.
  }
}
