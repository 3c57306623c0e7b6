/** Taints of a Node that runs short of something, by its condition: NoSchedule while that is True. */
export const pressureTaints = {
  MemoryPressure: "node.kubernetes.io/memory-pressure",
  DiskPressure: "node.kubernetes.io/disk-pressure",
  PIDPressure: "node.kubernetes.io/pid-pressure",
} as const;
