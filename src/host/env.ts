import type { Env, Log } from "../base/env.js";
import { hostClock, hostTimers } from "./clock.js";
import { hostDisk } from "./disk.js";
import { ThreadDisk } from "./disk-thread.js";
import { parseFailpoints } from "./failpoint.js";
import { hostRandom } from "./random.js";

export interface HostEnvOptions {
  /** All of the disk's paths are inside. Created with mode 0700 when missing. */
  readonly dataFolder: string;
  readonly log: Log;
  /** Files of this folder are written and synced by a thread of their own. @default none are */
  readonly threadFolder?: string;
  /** The text of `IKADA_FAILPOINTS`, see `parseFailpoints`. @default "" */
  readonly failpoints?: string;
}

export interface HostEnv extends Env {
  /** Closes the open files. Requests in work are finished first. */
  close(): Promise<void>;
}

/** The machine as an `Env`. @throws IkadaError BadRequest when the failpoints can't be parsed */
export function hostEnv(options: HostEnvOptions): HostEnv {
  const { dataFolder, threadFolder } = options;
  const disk = threadFolder === undefined ? hostDisk(dataFolder) : new ThreadDisk(dataFolder, threadFolder);
  return {
    clock: hostClock,
    timers: hostTimers,
    random: hostRandom,
    disk,
    log: options.log,
    failpoint: parseFailpoints(options.failpoints ?? ""),
    close: () => disk.close(),
  };
}
