import type { Disk, Done, Finished } from "../src/base/env.js";
import { IkadaError } from "../src/base/errors.js";
import type { NodeId } from "./core/types.js";

/** Whose data folder this is. */
export interface MembershipMark {
  readonly clusterId: string;
  readonly node: NodeId;
}

/** Beside the log, not in it: what it tells must outlive the log. */
export const membershipMarkPath = "member.json";

const temporaryPath = "member.json.new";
const format = 1;
const bytesMax = 64 * 1024;

/**
 * Reads the mark that a member left when it first had a log; undefined when there is none: a first start, or a data
 * folder that was emptied as a whole, which nothing on this machine can tell apart.
 */
export function readMembershipMark(disk: Disk, done: Done<MembershipMark | undefined>): void {
  disk.size(membershipMarkPath, (sizeError, size) => {
    if (sizeError || size < 0) return done(sizeError, undefined);
    return disk.read(membershipMarkPath, 0, bytesMax, (error, bytes) => {
      if (error) return done(error, undefined);
      const mark = decode(bytes);
      return mark instanceof IkadaError ? done(mark, undefined) : done(null, mark);
    });
  });
}

/** Writes the mark; when `done` is called without an error it is durable. A crash before leaves no part of it. */
export function writeMembershipMark(disk: Disk, { clusterId, node }: MembershipMark, done: Finished): void {
  const bytes = new TextEncoder().encode(`${JSON.stringify({ format, keyId: 0, clusterId, member: node })}\n`);
  const then =
    (next: () => void): Finished =>
    (error) =>
      error ? done(error) : next();
  // What a crash left of an earlier attempt may be longer.
  const replace = then(() =>
    disk.rename(
      temporaryPath,
      membershipMarkPath,
      then(() => disk.syncFolder("", done)),
    ),
  );
  const write = then(() =>
    disk.write(
      temporaryPath,
      0,
      bytes,
      then(() => disk.sync(temporaryPath, replace)),
    ),
  );
  disk.remove(temporaryPath, write);
}

function decode(bytes: Uint8Array): MembershipMark | IkadaError {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    value = undefined; // Told below, with everything else that it may not be.
  }
  const fields = (typeof value === "object" && value !== null ? value : {}) as Readonly<Record<string, unknown>>;
  const { clusterId, member, keyId } = fields as { clusterId?: unknown; member?: unknown; keyId?: unknown };
  if (typeof fields["format"] === "number" && (fields["format"] !== format || keyId !== 0))
    return new IkadaError("Unsupported", `${membershipMarkPath}: written by another version`, {
      hint: "Start the version that wrote this data folder, or a newer one.",
    });
  if (fields["format"] !== format || typeof clusterId !== "string" || typeof member !== "number")
    return new IkadaError("Internal", `${membershipMarkPath} is damaged: it does not name a cluster and a member`, {
      hint: "Check the disk, and restore this file from a backup of this server's data folder.",
    });
  return { clusterId, node: member };
}
