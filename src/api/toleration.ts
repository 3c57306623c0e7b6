import type { Taint } from "./kinds/core.js";
import type { Toleration } from "./kinds/pod.js";

/** Whether a toleration matches a taint (kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration). Absent parts match all. */
export function tolerates(toleration: Toleration, taint: Pick<Taint, "key" | "value" | "effect">): boolean {
  const { key = "", operator = "Equal", value = "", effect } = toleration;
  if (effect !== undefined && effect !== taint.effect) return false;
  if (key === "") return operator === "Exists";
  if (key !== taint.key) return false;
  return operator === "Exists" || value === (taint.value ?? "");
}
