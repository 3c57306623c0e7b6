import type { Listener } from "../listener.js";
import { addArchives } from "./archives.js";
import { addExec } from "./exec.js";
import { addImages } from "./images.js";
import { addLogs } from "./logs.js";
import type { PodRoutes } from "./pod-route.js";
import { addPortForward } from "./port-forward.js";
import { addStats } from "./stats.js";

/** ikada.api.v1.Pods, Nodes and Images: streams that end at a Pod or a node, wherever its node's session is. No address of a node is ever dialled. */
export function addPodsService(listener: Listener, routes: PodRoutes): void {
  addLogs(listener, routes);
  addExec(listener, routes);
  addPortForward(listener, routes);
  addArchives(listener, routes);
  addStats(listener, routes);
  addImages(listener, routes);
}
