import { IkadaError } from "../src/base/errors.js";
import type { StateMachine } from "./state-machine.js";
import type { WriteRequest } from "./store.js";

/** By so much an operation may make a record grow above the quota: what removes objects writes to them first. */
const growthBytesMax = 4096;

/**
 * Above the quota no record is created and none grows much; so deletions go on, and what they free is available at once.
 * Looked at before a request is proposed: replicas may differ about the quota, they never differ about what is applied.
 * @throws IkadaError QuotaExceeded
 */
export function checkQuota(state: StateMachine, { txns }: WriteRequest, quotaBytes: number): void {
  if (state.objects.liveBytes <= quotaBytes) return;
  for (const { success, failure } of txns)
    for (const operation of [...success, ...failure]) {
      if (operation.type === "delete") continue;
      const present = state.get(operation.key);
      if (present && operation.value.length <= present.value.length + growthBytesMax) continue;
      const [used, quota] = [state.objects.liveBytes, quotaBytes].map((bytes) => `${Math.ceil(bytes / 2 ** 20)} MiB`);
      throw new IkadaError("QuotaExceeded", `the store holds ${used}, its quota is ${quota}`, {
        hint: "delete objects that are not needed, or raise store.quotaMegabytes in the configuration of all servers",
      });
    }
}
