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
  readonly #known: readonly Foreigner[];

  private constructor(docker: Docker, known: readonly Foreigner[]) {
    this.#docker = docker;
    this.#known = known;
  }

  static async start(docker: Docker, image: string): Promise<Foreigners> {
    const make = async (name: string, labels: Record<string, string>): Promise<Docker.Container> => {
      const Cmd = ["/bin/sh", "-c", "while true; do sleep 0.5; done"];
      return docker.createContainer({ name, Image: image, Cmd, Labels: labels });
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
    const idle = await make("foreign-idle", {});
    await Promise.all([plain.start(), other.start()]);
    return new Foreigners(docker, await Promise.all([plain, other, idle].map(({ id }) => look(docker, id))));
  }

  /** `ended`: an engine without live-restore came back meanwhile and has ended what ran, whoever owns it. */
  async check(ended: boolean): Promise<void> {
    const now = await Promise.all(this.#known.map(({ id }) => look(this.#docker, id)));
    const expected = this.#known.map((one) => (ended ? { ...one, running: false } : one));
    assert.deepEqual(now, expected, "somebody else's containers were touched");
  }
}

async function look(docker: Docker, id: string): Promise<Foreigner> {
  const { State } = await docker.getContainer(id).inspect();
  return { id, startedAt: State.StartedAt, running: State.Running };
}
