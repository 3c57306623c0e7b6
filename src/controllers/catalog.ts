import type { Controller } from "./controller.js";
import { daemonSetController } from "./daemon-set.js";
import { deploymentController } from "./deployment.js";
import { eventTtlController } from "./event-ttl.js";
import { garbageCollector } from "./garbage-collector.js";
import { namespaceController } from "./namespace.js";
import { nodeLifecycleController } from "./node-lifecycle.js";
import { podGarbageController } from "./pod-garbage.js";
import { replicaSetController } from "./replica-set.js";
import type { ControllerSettings } from "./settings.js";
import { statefulSetController } from "./stateful-set.js";
import { taintEvictionController } from "./taint-eviction.js";

/** All controllers that a leader runs, beside the scheduler. */
export function allControllers(settings: ControllerSettings): readonly Controller[] {
  return [
    namespaceController,
    nodeLifecycleController(settings),
    taintEvictionController(settings),
    deploymentController,
    replicaSetController,
    statefulSetController,
    daemonSetController,
    garbageCollector,
    podGarbageController(settings),
    eventTtlController(settings),
  ];
}
