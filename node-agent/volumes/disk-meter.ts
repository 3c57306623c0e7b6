import { Worker } from "node:worker_threads";
import { IkadaError } from "../../src/base/errors.js";
import type { DiskUsage, Pace } from "../core/runtime.js";

export interface MeterQuestion {
  readonly id: number;
  readonly folder: string;
  readonly prefix: string | undefined;
  readonly pace: Pace;
}

export interface MeterAnswer {
  readonly id: number;
  /** Undefined with no error: there is no such folder. */
  readonly usage: DiskUsage | undefined;
  readonly error: string | undefined;
}

interface Waiting {
  readonly question: MeterQuestion;
  readonly resolve: (usage: DiskUsage | undefined) => void;
  readonly reject: (error: Error) => void;
}

/** Longer than a walk takes by itself: the file system does not answer. */
const hungMs = 120_000;
/** Folders that wait to be counted. */
const waitingMax = 1_000;

/**
 * Counts the files below folders, in a thread of its own: one folder at a time, and none of the calls that may wait for a disk is made in the process's
 * main thread or its pool. The thread begins with the first question.
 */
export class DiskMeter {
  #worker: Worker | undefined;
  readonly #queue: Waiting[] = [];
  #current: { readonly waiting: Waiting; readonly timer: NodeJS.Timeout } | undefined;
  #count = 0;

  /**
   * Undefined when there is no such folder. `prefix`: of the names that are meant in it; without one, all and the folder itself.
   * @throws IkadaError Unavailable, Overloaded
   */
  measure(folder: string, pace: Pace, prefix?: string): Promise<DiskUsage | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#queue.length >= waitingMax) {
        reject(new IkadaError("Overloaded", `${waitingMax} folders wait to be measured`));
        return;
      }
      this.#count += 1;
      this.#queue.push({ question: { id: this.#count, folder, prefix, pace }, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    if (this.#current !== undefined) return;
    const waiting = this.#queue.shift();
    if (waiting === undefined) {
      // An idle thread keeps no process alive.
      this.#worker?.unref();
      return;
    }
    const worker = (this.#worker ??= this.#begin());
    worker.ref();
    const { folder } = waiting.question;
    const timer = setTimeout(() => this.#fail(worker, `${folder}: its file system does not answer`), hungMs);
    timer.unref();
    this.#current = { waiting, timer };
    worker.postMessage(waiting.question, []);
  }

  #begin(): Worker {
    const worker = new Worker(new URL("./disk-meter-main.js", import.meta.url));
    worker.on("message", (answer: MeterAnswer) => this.#take(answer));
    worker.on("error", (error) => this.#fail(worker, error.message));
    worker.on("exit", () => this.#fail(worker, "the thread that measures disks has ended"));
    return worker;
  }

  #take({ id, usage, error }: MeterAnswer): void {
    const current = this.#current;
    if (current?.waiting.question.id !== id) return;
    clearTimeout(current.timer);
    this.#current = undefined;
    const { question, resolve, reject } = current.waiting;
    if (error === undefined) resolve(usage);
    else reject(new IkadaError("Unavailable", `${question.folder} can't be measured: ${error}`));
    this.#next();
  }

  /** The next question gets a new thread; one that hangs in the kernel is left to it. */
  #fail(worker: Worker, message: string): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    void worker.terminate();
    const current = this.#current;
    this.#current = undefined;
    if (current !== undefined) {
      clearTimeout(current.timer);
      current.waiting.reject(new IkadaError("Unavailable", message));
    }
    this.#next();
  }
}
