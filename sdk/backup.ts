/** So long one server is waited for before a second one is asked too: below the time that an election takes, above what calls take. */
export const backupMs = 300;

/** Calls that may be asked twice at once after a calm time, and how many answered calls earn another. */
const savedMax = 20;
const callsPerBackup = 10;

/** Keeps second questions a small part of all: servers that are slow because they have too much to do must not get twice as much. */
export class BackupBudget {
  #saved = savedMax;

  /** A call was answered by the server that was asked first. */
  earn(): void {
    this.#saved = Math.min(savedMax, this.#saved + 1 / callsPerBackup);
  }

  /** False: this call waits for the one server it has asked. */
  spend(): boolean {
    if (this.#saved < 1) return false;
    this.#saved -= 1;
    return true;
  }
}

/** Whether `call` settles within `ms`; its outcome is left to the caller. */
export function settlesWithin(call: Promise<unknown>, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms);
    const settled = (): void => {
      clearTimeout(timer);
      resolve(true);
    };
    call.then(settled, settled);
  });
}

/**
 * What the first of two servers says that gives an answer; errors for which `isAnswer` is false are none. When neither gives one, what
 * the last of `calls` said.
 * @throws an error that is an answer, or the last one's that is none
 */
export function firstAnswer<T>(
  calls: readonly Promise<T>[],
  isAnswer: (error: unknown, call: Promise<T>) => boolean,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let left = calls.length;
    for (const call of calls)
      call.then(resolve, (error: unknown) => {
        left -= 1;
        if (isAnswer(error, call)) reject(error as Error);
        else if (left === 0) calls.at(-1)!.then(resolve, reject);
      });
  });
}
