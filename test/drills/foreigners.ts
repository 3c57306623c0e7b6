import assert from "node:assert/strict";
import type Docker from "dockerode";

interface Foreigner {
  readonly id: string;
  readonly startedAt: string;
  readonly running: boolean;
}

/** Containers on the same engine that are not the agent's: without labels, of another cluster, one that was never started. */
export class Foreigners {
  readonly #docker: Docker;
  /** Those that are to run. */
  readonly #started: readonly string[];
  readonly #all: readonly string[];
  #known: readonly Foreigner[] = [];

  private constructor(docker: Docker, started: readonly string[], idle: readonly string[]) {
    this.#docker = docker;
    this.#started = started;
    this.#all = [...started, ...idle];
  }

  static async create(docker: Docker, image: string): Promise<Foreigners> {
    const make = async (name: string, labels: Record<string, string>): Promise<string> => {
      const Cmd = ["/bin/sh", "-c", "while true; do sleep 0.5; done"];
      return (await docker.createContainer({ name, Image: image, Cmd, Labels: labels })).id;
    };
    const plain = await make("foreign-plain", {});
    const otherLabels = {
      "ikada.cluster": "another",
      "ikada.node": "node-1",
      "ikada.role": "container",
      "ikada.pod-uid": "another",
      "ikada.attempt": "0",
    };
    const other = await make("foreign-cluster", otherLabels);
    return new Foreigners(docker, [plain, other], [await make("foreign-idle", {})]);
  }

  /** Starts what is to run and does not, and remembers how they are. */
  async begin(): Promise<void> {
    for (const id of this.#started) {
      if (!(await look(this.#docker, id)).running) await this.#docker.getContainer(id).start();
    }
    this.#known = await Promise.all(this.#all.map((id) => look(this.#docker, id)));
  }

  /** `ended`: an engine without live-restore came back meanwhile and has ended what ran, whoever owns it. */
  async check(ended: boolean): Promise<void> {
    const now = await Promise.all(this.#all.map((id) => look(this.#docker, id)));
    const expected = this.#known.map((one) => (ended ? { ...one, running: false } : one));
    assert.deepEqual(now, expected, "somebody else's containers were touched");
  }
}

async function look(docker: Docker, id: string): Promise<Foreigner> {
  const { State } = await docker.getContainer(id).inspect();
  return { id, startedAt: State.StartedAt, running: State.Running };
}
