/** `Slow`: hand leadership over. `Stalled`: neither lead nor campaign. */
export type DiskHealth = "Well" | "Slow" | "Stalled";

/** Election timeouts that one durable write may take before the disk counts as slow, and as stalled. */
const slowTimeouts = 1;
const stalledTimeouts = 2;

/**
 * Judges the disk by the durable write in flight. A leader with a hung disk would go on sending heartbeats
 * and so keep the others from electing one that works; it costs them a write's latency at least.
 */
export function diskHealth(writingSinceMs: number | undefined, nowMs: number, electionTimeoutMs: number): DiskHealth {
  if (writingSinceMs === undefined) return "Well";
  const tookMs = nowMs - writingSinceMs;
  if (tookMs > stalledTimeouts * electionTimeoutMs) return "Stalled";
  return tookMs > slowTimeouts * electionTimeoutMs ? "Slow" : "Well";
}
