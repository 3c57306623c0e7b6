import { IkadaError } from "../src/base/errors.js";
import { apiMethods } from "../src/host/api-methods.js";
import type { Calls } from "./calls.js";
import { Deadline } from "./deadline.js";
import type { LogOptions } from "./options.js";

const triesMax = 5;

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
  for (let tries = 1; ; tries += 1) {
    const { address, messages } = calls.stream(apiMethods.logs, request, deadline, tries);
    let begun = false;
    try {
      for await (const { data } of messages) {
        begun = true;
        yield data;
      }
      return;
    } catch (caught) {
      const error = IkadaError.from(caught);
      // Text that was given already can't be taken back, so only a stream that gave nothing begins again.
      if (begun || tries >= triesMax) throw error;
      await calls.next(error, address, tries, deadline);
    }
  }
}
