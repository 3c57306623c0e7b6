import type { ikada } from "#proto/agent.js";
import type { Event } from "../../api/kinds/core.js";
import type { AnyObject } from "../../api/object.js";
import { textAt } from "../../api/path.js";
import { IkadaError } from "../../base/errors.js";
import type { Changes } from "../../objects/changes.js";
import { newEvent, repeatedEvent, type Told } from "../../objects/event-object.js";
import { noChanges } from "../../objects/transaction.js";
import type { Snapshot } from "../../objects/snapshot.js";
import type { Compare } from "../../../store/store.js";
import type { AgentServices } from "./agent-services.js";
import type { ReportDecision, ReportOutcome } from "./report-folder.js";

/** Events in one message of an agent. */
const eventsPerMessageMax = 64;
/** Events that one agent may tell at once, and each second after that: what is more waits with the agent. */
const burstMax = 200;
const perSecond = 10;
const countMax = 100_000;

/**
 * Takes what one agent tells of its Pods and of its Node, and of nothing else, and records it as Events. One message at a time and no faster than its
 * pace: what comes besides is not acknowledged, and an honest agent tells it again.
 */
export class EventIntake {
  readonly #services: Pick<AgentServices, "cache" | "clock" | "folder">;
  readonly #node: string;
  readonly #fence: Compare;
  readonly #acknowledge: (sequence: number) => void;
  #busy = false;
  #left = burstMax;
  #leftAt: number;

  /** `fence`: holds while the session is the newest of its node. */
  constructor(
    services: Pick<AgentServices, "cache" | "clock" | "folder">,
    { node, fence }: { readonly node: string; readonly fence: Compare },
    acknowledge: (sequence: number) => void,
  ) {
    this.#services = services;
    this.#node = node;
    this.#fence = fence;
    this.#acknowledge = acknowledge;
    this.#leftAt = services.clock.monotonic();
  }

  /** @throws IkadaError TooLarge */
  take({ sequence, events = [] }: ikada.agent.v1.INodeEvents): void {
    const list = events ?? [];
    if (list.length > eventsPerMessageMax)
      throw new IkadaError("TooLarge", `more than ${eventsPerMessageMax} events in one message`);
    if (this.#busy || !this.#allows(list.length)) return;
    this.#busy = true;
    const snapshot = this.#services.cache.snapshot();
    const told = list.flatMap((event) => this.#told(event, snapshot) ?? []);
    let open = told.length;
    const settled = (outcome: ReportOutcome): void => {
      if (outcome === "settled") open -= 1;
      if (open > 0) return;
      this.#busy = false;
      this.#acknowledge(sequence ?? 0);
    };
    for (const one of told) this.#write(one, settled);
    if (open === 0) settled("settled");
  }

  #write(told: Told & { readonly count: number }, done: (outcome: ReportOutcome) => void): void {
    const now = this.#services.clock.now();
    const fresh = newEvent(told, { component: "agent", host: this.#node }, now, told.count);
    const { namespace = "", name } = fresh.metadata;
    const key = { groupKind: "/Event", namespace, name };
    const decide: ReportDecision = (live) => {
      const space = this.#services.cache.snapshot().get("/Namespace", "", namespace);
      // One that is being emptied takes nothing new.
      if (space?.metadata.deletionTimestamp !== undefined) return undefined;
      const guard =
        space === undefined
          ? []
          : [
              {
                groupKind: "/Namespace",
                namespace: "",
                name: namespace,
                resourceVersion: space.metadata.resourceVersion ?? "",
              },
            ];
      const changes: Changes = { ...noChanges, unchanged: guard };
      if (live === undefined) return { ...changes, creates: [fresh as unknown as AnyObject] };
      const again = repeatedEvent(live as unknown as Event, fresh, now);
      return { ...changes, updates: [again as unknown as AnyObject] };
    };
    this.#services.folder.report(key, decide, this.#fence, done);
  }

  /** Undefined for what is not this agent's to tell, and for Pods that are gone. */
  #told(event: ikada.agent.v1.INodeEvent, snapshot: Snapshot): (Told & { readonly count: number }) | undefined {
    const { podNamespace, podName, podUid, fieldPath, warning, reason, message, count } = event;
    const object = podName ? snapshot.get("/Pod", podNamespace ?? "", podName) : snapshot.get("/Node", "", this.#node);
    if (object === undefined || !reason || !/^[A-Z][A-Za-z0-9]{0,127}$/.test(reason)) return undefined;
    if (podName && (object.metadata.uid !== podUid || textAt(object, ["spec", "nodeName"]) !== this.#node))
      return undefined;
    return {
      object,
      ...(fieldPath && { fieldPath: fieldPath.slice(0, fieldPathMax) }),
      type: warning ? "Warning" : "Normal",
      reason,
      message: message ?? "",
      count: Math.min(countMax, Math.max(1, count ?? 1)),
    };
  }

  #allows(count: number): boolean {
    const now = this.#services.clock.monotonic();
    this.#left = Math.min(burstMax, this.#left + ((now - this.#leftAt) / 1000) * perSecond);
    this.#leftAt = now;
    if (this.#left < count) return false;
    this.#left -= count;
    return true;
  }
}

const fieldPathMax = 256;
