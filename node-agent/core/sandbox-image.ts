import type { Done } from "../../src/base/env.js";
import type { ContainerRuntime } from "./runtime.js";

/** The image of all sandboxes: the engine is asked for it once, and again when it turns out to be gone. */
export class SandboxImage {
  readonly #runtime: Pick<ContainerRuntime, "ensureSandboxImage">;
  #reference: string | undefined;

  constructor(runtime: Pick<ContainerRuntime, "ensureSandboxImage">) {
    this.#runtime = runtime;
  }

  ensure(done: Done<string>): void {
    if (this.#reference !== undefined) {
      done(null, this.#reference);
      return;
    }
    this.#runtime.ensureSandboxImage((error, reference) => {
      if (error === null) this.#reference = reference;
      done(error, reference);
    });
  }

  /** The engine did not know it. */
  lost(): void {
    this.#reference = undefined;
  }
}
