import type { Env, Timer } from "../../src/base/env.js";
import { IkadaError } from "../../src/base/errors.js";
import type { SessionEvents } from "./session.js";

/** A session that is being opened, or is open. */
export interface DialledSession {
  reportNode(): void;
  /** Says goodbye; `onEnd` follows. */
  close(): void;
}

export interface UplinkOptions {
  readonly env: Pick<Env, "clock" | "timers" | "random" | "log">;
  /** Addresses that the agent was configured with. */
  readonly servers: readonly string[];
  /** Opens a session with the server of that address. `events.onEnd` is called once, not before this has returned. @throws IkadaError when it can't even try */
  readonly dial: (server: string, events: SessionEvents) => DialledSession;
}

/** Pause after all servers were tried in vain, with full jitter, doubling. */
const pauseMsMin = 50;
const pauseMsMax = 2_000;
/** A session that ends sooner counts as a failure, so that one that every server ends at once does not spin. */
const sessionMsMin = 1_000;

/**
 * Keeps one session open with any of the servers. Stays with a server as long as it can; when a session ends the next server is tried at
 * once, and only after all of them failed there is a pause. Agents begin at different servers, so that they spread.
 */
export class Uplink {
  readonly #options: UplinkOptions;
  #servers: readonly string[];
  #session: DialledSession | undefined;
  #pause: Timer | undefined;
  #failures = 0;
  #pauseMs = pauseMsMin;
  #closed = false;
  #onClosed: (() => void) | undefined;
  #lastError = "";
  /** The server of the open session; "" when there is none. */
  server = "";
  /** Opened since the start. */
  sessions = 0;

  constructor(options: UplinkOptions) {
    this.#options = options;
    this.#servers = options.servers;
  }

  start(): void {
    this.#attempt(this.#servers[this.#options.env.random.int(this.#servers.length)] as string);
  }

  reportNode(): void {
    this.#session?.reportNode();
  }

  /** Ends the session; `done` when it is over. */
  close(done: () => void): void {
    this.#closed = true;
    this.#pause?.cancel();
    if (this.#session === undefined) return done();
    this.#onClosed = done;
    return this.#session.close();
  }

  #attempt(server: string): void {
    const { env, dial, servers: configured } = this.#options;
    const begunAt = env.clock.monotonic();
    let welcomed = false;
    const onEnd = (error: IkadaError): void => {
      this.#session = undefined;
      this.server = "";
      if (this.#closed) return this.#onClosed?.();
      const isGood = welcomed && env.clock.monotonic() - begunAt > sessionMsMin;
      return this.#after(server, isGood, error);
    };
    try {
      this.#session = dial(server, {
        onWelcome: (servers) => {
          welcomed = true;
          this.server = server;
          this.sessions += 1;
          // The configured ones stay, should what a server tells ever be wrong for this network.
          this.#servers = [...new Set([...configured, ...servers])];
          env.log.info("session open", { server });
        },
        onEnd,
      });
    } catch (caught) {
      onEnd(IkadaError.from(caught));
    }
  }

  #after(server: string, isGood: boolean, error: IkadaError): void {
    const { log } = this.#options.env;
    if (isGood) {
      [this.#failures, this.#pauseMs] = [0, pauseMsMin];
      log.warn("session lost", { server, error: error.message });
      this.#lastError = "";
    } else {
      this.#failures += 1;
      const message = `${server}: ${error.message}`;
      if (message !== this.#lastError) log.warn("no session", { server, error: error.message });
      this.#lastError = message;
    }
    this.#attemptLater(this.#servers[(this.#servers.indexOf(server) + 1) % this.#servers.length] as string);
  }

  /** In a turn of its own, and after a pause when all have failed. */
  #attemptLater(server: string): void {
    const { timers, random } = this.#options.env;
    let delayMs = 0;
    if (this.#failures >= this.#servers.length) {
      this.#failures = 0;
      delayMs = random.next() * this.#pauseMs;
      this.#pauseMs = Math.min(this.#pauseMs * 2, pauseMsMax);
    }
    this.#pause = timers.after(delayMs, () => this.#attempt(server));
  }
}
