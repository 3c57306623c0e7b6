import type { ContainerInfo } from "./runtime.js";

/** The time since the machine was started, also while it slept; the same for all processes, and for those that follow after their end. */
export interface BootClock {
  /** Another one after each start of the machine. */
  readonly bootId: string;
  sinceBootMs(): number;
}

/** What the agent knows of its leases; the stored form. Times are milliseconds since the machine was started. */
export interface LeaseBook {
  /** Of this data folder. */
  readonly id: string;
  readonly bootId: string;
  /** Of the servers' count of who has held the node's leases; 0 before any has told it. */
  readonly epoch: number;
  /** Until when another instance may have been given leases; -1: none ever was. */
  readonly othersUntil: number;
  /** By Pod uid. */
  readonly leases: Readonly<Record<string, Lease>>;
}

export interface Lease {
  readonly endsAt: number;
  readonly leaseMs: number;
  /** In which it was held last. */
  readonly epoch: number;
}

/** How much time a Pod's lease leaves it; not positive when that is over. */
export interface LeaseView {
  /** Until its containers are told to stop. */
  readonly stopInMs: number;
  /** Until they are killed. */
  readonly killInMs: number;
  /** In which no other instance of this node can have containers of the Pod, so that it may be said to be gone; 0: one might. */
  readonly epoch: number;
}

/** From the kill to the end of the lease: what the engine may take. */
export function killBeforeMs(leaseMs: number): number {
  return Math.max(1000, leaseMs / 10);
}

/** From the stop signal to the end of the lease. */
export function stopBeforeMs(leaseMs: number, graceMs: number): number {
  return killBeforeMs(leaseMs) + Math.min(graceMs, leaseMs / 6);
}

/**
 * Which containers have to be killed now by somebody who knows nothing but this book: what the agent should have done half of the engine's
 * time ago.
 */
export function overdue(book: LeaseBook, sinceBootMs: number, containers: readonly ContainerInfo[]): readonly string[] {
  const isOver = (uid: string): boolean => {
    const lease = book.leases[uid];
    return lease !== undefined && sinceBootMs >= guardedAt(lease);
  };
  return containers
    .filter(({ role, phase, podUid }) => role === "container" && phase === "running" && isOver(podUid))
    .map(({ id }) => id);
}

/** When the guard acts in the agent's place. */
export function guardedAt({ endsAt, leaseMs }: Lease): number {
  return endsAt - killBeforeMs(leaseMs) / 2;
}
