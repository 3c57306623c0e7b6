import type { Client } from "../../sdk/index.js";
import { IkadaError } from "../../src/base/errors.js";

/** A way into a Pod that is held open. */
export interface OpenWay {
  /** As users call it. */
  readonly name: string;
  /** Something that was not there before comes through. @throws what has ended it */
  works(): Promise<void>;
  /** Waits for its end. Undefined: it ended as if all was well. */
  end(): Promise<IkadaError | undefined>;
  close(): void;
}

/** What the ways need of a Pod: it writes all the time, says what it reads, echoes on a port, and has files that are long and short to read. */
export const talkingScript = [
  "truncate -s 256M /tmp/large; echo short >/tmp/short",
  "nc -ll -p 7777 -e cat &",
  "while sleep 0.1; do echo tick; done &",
  'while read -r line; do echo "said $line"; done',
  "wait",
].join("\n");
const echoPort = 7777;
const waitMsMax = 30_000;

/** All ways that may be open beside others of the same Pod, through one client; `tag`: what no other caller sends. */
export function openWays(client: Client, pod: string, namespace: string, tag: string): Promise<OpenWay[]> {
  return Promise.all([
    openLogs(client, pod, namespace),
    openExec(client, pod, namespace),
    openAttach(client, pod, namespace, tag),
    openConnection(client, pod, namespace, tag),
  ]);
}

/** A copy that is not at its end yet. An engine copies for one at a time, and begins no command in the container meanwhile. */
export async function openCopy(client: Client, pod: string, namespace: string): Promise<OpenWay> {
  const way = copyOf(client, pod, namespace, "/tmp/large");
  await way.works();
  return way;
}

/** `ikada cp` of a file from its beginning to its end. */
export async function copyWorks(client: Client, pod: string, namespace: string): Promise<void> {
  const end = await copyOf(client, pod, namespace, "/tmp/short").end();
  if (end !== undefined) throw end;
}

/** `ikada top`, which is a question and an answer. @throws IkadaError when the Pod's node says nothing */
export async function topWorks(client: Client, pod: string, namespace: string): Promise<void> {
  const { items, unreached } = await client.access.podStats({ name: pod, namespace });
  const memory = items[0]?.containers[0]?.memoryBytes ?? 0;
  if (unreached.length > 0 || memory === 0)
    throw new IkadaError("Unavailable", `top ${pod}: ${JSON.stringify({ items, unreached })}`);
}

async function openLogs(client: Client, pod: string, namespace: string): Promise<OpenWay> {
  const abort = new AbortController();
  const received = new Received(client.logs(pod, { namespace, follow: true, tailLines: 0, signal: abort.signal }));
  return received.way(
    "logs -f",
    () => received.more(),
    () => abort.abort(),
  );
}

async function openExec(client: Client, pod: string, namespace: string): Promise<OpenWay> {
  const remote = await client.access.exec(pod, ["sh"], { namespace, stdin: true, tty: true });
  const received = new Received(dataOf(remote));
  let number = 1_000_000;
  const works = async (): Promise<void> => {
    // The terminal echoes the question, which does not have the answer in it.
    await remote.write(Buffer.from(`echo $((${number}+1))\n`));
    number += 1;
    await received.until(String(number));
  };
  return received.way("exec -it", works, () => remote.close());
}

async function openAttach(client: Client, pod: string, namespace: string, tag: string): Promise<OpenWay> {
  const remote = await client.access.attach(pod, { namespace, stdin: true });
  const received = new Received(dataOf(remote));
  let number = 0;
  const works = async (): Promise<void> => {
    number += 1;
    await remote.write(Buffer.from(`${tag}-${number}\n`));
    await received.until(`said ${tag}-${number}\n`);
  };
  return received.way("attach", works, () => remote.close());
}

async function openConnection(client: Client, pod: string, namespace: string, tag: string): Promise<OpenWay> {
  const connection = await client.access.connect(pod, echoPort, { namespace });
  // Who reads it is told; what is written to it afterwards would tell again.
  connection.on("error", () => undefined);
  const received = new Received(connection as AsyncIterable<Uint8Array>);
  let number = 0;
  const works = async (): Promise<void> => {
    number += 1;
    connection.write(`${tag}-${number}\n`);
    await received.until(`${tag}-${number}\n`);
  };
  return received.way("port-forward", works, () => connection.destroy());
}

/** A piece is taken at a time: what is not read is not sent, so that the copy is under way as long as it has to be. */
function copyOf(client: Client, pod: string, namespace: string, path: string): OpenWay {
  const archive = client.access.readArchive(pod, path, { namespace });
  const next = async (): Promise<boolean> => (await archive.next()).done !== true;
  return {
    name: "cp",
    async works() {
      if (!(await next())) throw new IkadaError("Unavailable", "the archive ended before its time");
    },
    async end() {
      try {
        while (await next());
        return undefined;
      } catch (caught) {
        return IkadaError.from(caught);
      }
    },
    close: () => void archive.return(),
  };
}

async function* dataOf(output: AsyncIterable<{ readonly data: Uint8Array }>): AsyncGenerator<Uint8Array> {
  for await (const { data } of output) yield data;
}

/** Reads what comes through a way, to its end. */
class Received {
  #text = "";
  #pieces = 0;
  #error: IkadaError | undefined;
  #isOver = false;
  readonly #waiting = new Set<() => void>();
  readonly #ended: Promise<void>;

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#ended = this.#read(pieces);
  }

  way(name: string, works: () => Promise<void>, close: () => void): OpenWay {
    const end = async (): Promise<IkadaError | undefined> => {
      await this.#wait(`the end of ${name}`, () => this.#isOver);
      await this.#ended;
      return this.#error;
    };
    return { name, works, end, close };
  }

  async more(): Promise<void> {
    const before = this.#pieces;
    await this.#until("more", () => this.#pieces > before);
  }

  async until(text: string): Promise<void> {
    await this.#until(text, () => this.#text.includes(text));
  }

  async #until(what: string, look: () => boolean): Promise<void> {
    await this.#wait(what, () => look() || this.#isOver);
    if (!look()) throw this.#error ?? new IkadaError("Unavailable", `it ended without ${what}`);
  }

  async #wait(what: string, look: () => boolean): Promise<void> {
    const deadline = performance.now() + waitMsMax;
    while (!look()) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw new IkadaError("Deadline", `${what} did not come within ${waitMsMax} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        const wake = (): void => {
          clearTimeout(timer);
          this.#waiting.delete(wake);
          resolve();
        };
        this.#waiting.add(wake);
      });
    }
  }

  async #read(pieces: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const piece of pieces) {
        this.#text = (this.#text + Buffer.from(piece).toString()).slice(-textLengthMax);
        this.#pieces += 1;
        for (const wake of this.#waiting) wake();
      }
    } catch (caught) {
      this.#error = IkadaError.from(caught);
    }
    this.#isOver = true;
    for (const wake of this.#waiting) wake();
  }
}

const textLengthMax = 64 * 1024;
