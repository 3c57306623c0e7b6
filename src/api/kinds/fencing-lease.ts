import type { FieldFault } from "../../base/errors.js";
import type { Condition, ObjectMeta } from "../object.js";

/**
 * The fencing lease of a Pod: its containers run only while a server has renewed it lately, so that after a known time nothing runs of a Pod
 * whose node nobody hears of. docs/pods.md describes it; the agent keeps it, the servers renew it, the controllers wait for its end.
 */
export const fencingLeaseAnnotation = "ikada.dev/fencing-lease-seconds";

/** Shorter ones would end with every election; longer ones replace nothing within an hour. */
export const fencingLeaseSeconds = { min: 10, max: 3600 } as const;

interface Leased {
  readonly metadata: Pick<ObjectMeta, "annotations">;
}

/** How long a renewal is good for; undefined: the Pod has no fencing lease. */
export function fencingLeaseMs(pod: Leased): number | undefined {
  const text = pod.metadata.annotations?.[fencingLeaseAnnotation];
  return text === undefined ? undefined : millisecondsOf(text);
}

/**
 * How long after the last moment at which a renewal may have been asked for the lease has ended by every clock: its own time, one hundredth
 * of it for clocks of different speed (those that NTP steers differ by a thousandth at most), and a second.
 */
export function fencingLeaseOverMs(leaseMs: number): number {
  return leaseMs * 1.01 + 1000;
}

/** Condition that ends a Pod's lease for good: from its being committed on no server renews it. Never taken back. */
export const leaseRevokedType = "ikada.dev/LeaseRevoked";

export function isLeaseRevoked(pod: { readonly status?: { readonly conditions?: readonly Condition[] } }): boolean {
  return (pod.status?.conditions ?? []).some(({ type, status }) => type === leaseRevokedType && status === "True");
}

/** Checks the annotation of a Pod, or of a template's metadata at `path`. */
export function fencingLeaseRules(
  annotations: Readonly<Record<string, string>> | undefined,
  path: string,
  faults: FieldFault[],
): void {
  const text = annotations?.[fencingLeaseAnnotation];
  if (text === undefined || millisecondsOf(text) !== undefined) return;
  const { min, max } = fencingLeaseSeconds;
  faults.push({
    field: `${path}[${fencingLeaseAnnotation}]`,
    reason: "Invalid",
    message: `must be a whole number of seconds from ${min} to ${max}, not "${text}"`,
  });
}

/** What runs under a lease was promised its length. */
export function fencingLeaseUpdateRules(before: Leased, after: Leased, faults: FieldFault[]): void {
  if (before.metadata.annotations?.[fencingLeaseAnnotation] === after.metadata.annotations?.[fencingLeaseAnnotation])
    return;
  faults.push({
    field: `metadata.annotations[${fencingLeaseAnnotation}]`,
    reason: "Immutable",
    message: "may not be changed in a Pod that exists: change the template, or delete the Pod and create it anew",
  });
}

function millisecondsOf(text: string): number | undefined {
  const seconds = /^[1-9]\d{0,3}$/.test(text) ? Number(text) : 0;
  return seconds >= fencingLeaseSeconds.min && seconds <= fencingLeaseSeconds.max ? seconds * 1000 : undefined;
}
