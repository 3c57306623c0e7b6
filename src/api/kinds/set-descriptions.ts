import type { Described } from "./field-descriptions.js";

const selector: Described = [
  "Which Pods are its own; has to match the template's labels. Can't be changed.",
  "LabelSelector",
];
const revisionHistoryLimit = "How many old ControllerRevisions are kept to go back to.";
const observedGeneration = "The metadata.generation that this is about.";
const collisionCount = "How often a name for a new ControllerRevision was taken.";
const conditions: Described = ["ReplicaFailure when Pods can't be made.", "Condition"];

/** What the fields of StatefulSets, DaemonSets and their revisions mean. */
export const setDescriptions: Readonly<Record<string, Readonly<Record<string, Described>>>> = {
  StatefulSet: {
    "": "Pods with names that last (web-0, web-1), of which no two with one name ever run.",
    spec: ["What is wanted.", "StatefulSetSpec"],
    status: ["How it is.", "StatefulSetStatus"],
  },
  StatefulSetSpec: {
    replicas: "How many Pods there should be.",
    serviceName: "The Service that names the Pods: their subdomain. Can't be changed.",
    selector,
    template: ["What its Pods are made from; a change of it begins a rollout.", "PodTemplate"],
    podManagementPolicy:
      "OrderedReady: one Pod after the other, each when those before it are available. Parallel: all at once. Can't be changed.",
    updateStrategy: ["How Pods of an old template are replaced.", "StatefulSetStrategy"],
    ordinals: ["How the Pods are numbered.", "Ordinals"],
    minReadySeconds: "How many seconds a Pod has to be ready before it counts as available.",
    revisionHistoryLimit,
  },
  StatefulSetStrategy: {
    type: "RollingUpdate, or OnDelete: a Pod is of the new template once somebody has deleted the old one.",
    rollingUpdate: ["The steps of a rolling update, from the highest ordinal down.", "StatefulSetRollingUpdate"],
  },
  StatefulSetRollingUpdate: {
    partition: "Pods below this number, counted from the first, keep the old template.",
    maxUnavailable:
      "How many Pods may be unavailable while an update goes on: a number, or a percentage of replicas, rounded down; at least one.",
  },
  Ordinals: { start: "The number of the first Pod." },
  StatefulSetStatus: {
    replicas: "How many Pods there are.",
    observedGeneration,
    readyReplicas: "How many are ready.",
    availableReplicas: "How many have been ready for minReadySeconds.",
    currentReplicas: "How many are of currentRevision.",
    updatedReplicas: "How many are of updateRevision.",
    currentRevision: "The ControllerRevision that the Pods had before the update, and below its partition have.",
    updateRevision: "The ControllerRevision of the present template.",
    collisionCount,
    conditions,
  },
  DaemonSet: {
    "": "A Pod on each node that it suits.",
    spec: ["What is wanted.", "DaemonSetSpec"],
    status: ["How it is.", "DaemonSetStatus"],
  },
  DaemonSetSpec: {
    selector,
    template: [
      "What its Pods are made from, and which nodes get one: by nodeSelector, affinity and tolerations. A change of it begins a rollout.",
      "PodTemplate",
    ],
    updateStrategy: ["How Pods of an old template are replaced.", "DaemonSetStrategy"],
    minReadySeconds: "How many seconds a Pod has to be ready before it counts as available.",
    revisionHistoryLimit,
  },
  DaemonSetStrategy: {
    type: "RollingUpdate, or OnDelete: a Pod is of the new template once somebody has deleted the old one.",
    rollingUpdate: ["The steps of a rolling update.", "DaemonSetRollingUpdate"],
  },
  DaemonSetRollingUpdate: {
    maxSurge:
      "On how many nodes a new Pod may be beside the old one: a number, or a percentage of the nodes, rounded up.",
    maxUnavailable:
      "On how many nodes the Pod may be unavailable for the update's sake: a number, or a percentage of the nodes, rounded up.",
  },
  DaemonSetStatus: {
    desiredNumberScheduled: "How many nodes should have a Pod.",
    currentNumberScheduled: "How many of them have one.",
    numberMisscheduled: "How many nodes have one that should not take one now.",
    numberReady: "How many of the nodes that should have a Pod have a ready one.",
    observedGeneration,
    updatedNumberScheduled: "How many have one of the present template.",
    numberAvailable: "How many have one that has been ready for minReadySeconds.",
    numberUnavailable: "How many have none that is available.",
    collisionCount,
    conditions,
  },
  ControllerRevision: {
    "": "A template that a StatefulSet or DaemonSet has or had, to go back to.",
    data: "The template, as a strategic merge patch of its owner. Can't be changed.",
    revision: "Its number: the highest is the present one.",
  },
};
