import type { Controller } from "./controller.js";
import { daemonSetController } from "./daemon-set.js";
import { cronJobController } from "./cron-job.js";
import { deploymentController } from "./deployment.js";
import { disruptionController } from "./disruption.js";
import { eventTtlController } from "./event-ttl.js";
import { garbageCollector } from "./garbage-collector.js";
import { jobTtlController } from "./job-ttl.js";
import { jobController } from "./job.js";
import { namespaceController } from "./namespace.js";
import { nodeLifecycleController } from "./node-lifecycle.js";
import { podGarbageController } from "./pod-garbage.js";
import { priorityClassController } from "./priority-class.js";
import { replicaSetController } from "./replica-set.js";
import type { ControllerSettings } from "./settings.js";
import { statefulSetController } from "./stateful-set.js";
import { taintEvictionController } from "./taint-eviction.js";

/** All controllers that a leader runs, beside the scheduler. */
export function allControllers(settings: ControllerSettings): readonly Controller[] {
  return [
    namespaceController,
    priorityClassController,
    nodeLifecycleController(settings),
    taintEvictionController(settings),
    deploymentController,
    replicaSetController,
    statefulSetController,
    daemonSetController,
    cronJobController,
    jobController,
    jobTtlController,
    disruptionController,
    garbageCollector,
    podGarbageController(settings),
    eventTtlController(settings),
  ];
}
