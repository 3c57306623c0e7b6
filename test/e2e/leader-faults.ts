import { DiskHang } from "./disk-hang.js";
import type { Harness } from "./harness.js";
import type { MachineNetwork } from "./machine-network.js";

/** What can happen to the server that leads. */
export const leaderFaults = ["kill9", "sigterm", "sigstop", "blackhole", "disk-hang"] as const;
export type LeaderFault = (typeof leaderFaults)[number];

/** A fault that has taken hold. */
export interface Begun {
  /** When (monotonic milliseconds). */
  readonly atMs: number;
  /** Undoes it: the server is on its way back. */
  end(): Promise<void>;
}

/** Lets the fault happen to the server `name`, which runs on the machine of its number. */
export async function beginFault(
  fault: LeaderFault,
  name: string,
  harness: Harness,
  network: MachineNetwork,
): Promise<Begun> {
  const pid = harness.pid(name);
  if (pid === undefined) throw new Error(`${name} does not run`);
  const machine = harness.cluster.servers.findIndex((server) => server.name === name) + 1;
  if (fault === "kill9") return signalled(pid, "SIGKILL", () => undefined);
  if (fault === "sigterm") return signalled(pid, "SIGTERM", () => harness.startStopped());
  if (fault === "sigstop") return signalled(pid, "SIGSTOP", () => process.kill(pid, "SIGCONT"));
  if (fault === "blackhole") {
    const atMs = performance.now();
    network.isolate(machine);
    return { atMs, end: () => Promise.resolve(network.heal(machine)) };
  }
  const hang = await DiskHang.begin(pid);
  return { atMs: performance.now(), end: () => hang.end() };
}

function signalled(pid: number, signal: NodeJS.Signals, undo: () => void): Begun {
  const atMs = performance.now();
  process.kill(pid, signal);
  return { atMs, end: () => Promise.resolve(undo()) };
}
