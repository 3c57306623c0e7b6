import { apiMethods } from "../src/host/api-methods.js";
import type { Calls } from "./calls.js";
import { Deadline } from "./deadline.js";
import type { LogOptions } from "./options.js";

/** What a container wrote, from whichever server can give it. @throws IkadaError as `Client.logs` */
export async function* readLogs(
  calls: Calls,
  pod: string,
  options: LogOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const request = {
    namespace: options.namespace,
    pod,
    container: options.container ?? "",
    follow: options.follow ?? false,
    previous: options.previous ?? false,
    tailLines: options.tailLines ?? null,
    sinceSeconds: options.sinceSeconds ?? null,
    timestamps: options.timestamps ?? false,
    sinceMs: options.sinceTime?.getTime() ?? null,
    limitBytes: options.limitBytes ?? null,
  };
  const deadline = new Deadline(options);
  for await (const { data } of calls.streamFromStart(apiMethods.logs, request, deadline)) yield data;
}
