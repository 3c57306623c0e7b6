import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { InvalidArgumentError, type Command } from "commander";
import { IkadaError } from "../../src/base/errors.js";
import { harmless } from "../output.js";
import { onePod } from "../pods-of.js";
import { withSession, type Session } from "../session.js";

/** Connections open at once through one port. */
const connectionsMax = 100;

interface Forward {
  /** 0: any that is free. */
  readonly local: number;
  readonly remote: number;
}

/** `ikada port-forward pod/web 8080:80`: connections to a port here end at one of a Pod, each by itself, until Ctrl-C. */
export function addPortForward(program: Command): void {
  program
    .command("port-forward")
    .description("forward ports of this machine to a Pod")
    .argument("<what>", "POD, pod/NAME or deployment/NAME (one of its Pods)")
    .argument("<ports...>", "8080:80, 80 for the same on both sides, :80 for a free one here", collectForward)
    .option("--address <address>", "where to listen here", "127.0.0.1")
    .action((word: string, forwards: Forward[], { address }: { address: string }, command: Command) =>
      withSession(command, async (session) => {
        const target = new ForwardTarget(session, word, await onePod(session, word));
        const servers: Server[] = [];
        try {
          for (const forward of forwards) servers.push(await listen(session, target, forward, address));
          await new Promise<void>((resolve) => {
            if (session.signal.aborted) resolve();
            session.signal.addEventListener("abort", () => resolve(), { once: true });
          });
        } finally {
          for (const server of servers) server.close();
          target.close();
        }
      }),
    );
}

/** @throws InvalidArgumentError */
function collectForward(text: string, before: readonly Forward[] | undefined): Forward[] {
  const match = /^(?:(\d{0,5}):)?(\d{1,5})$/.exec(text);
  const remote = Number(match?.[2]);
  const local = match?.[1] === undefined ? remote : Number(match[1] === "" ? 0 : match[1]);
  if (!match || remote < 1 || remote > 65_535 || local > 65_535) {
    throw new InvalidArgumentError("Write LOCAL:REMOTE, PORT, or :REMOTE, with ports from 1 to 65535.");
  }
  return [...(before ?? []), { local, remote }];
}

/** Which Pod the connections go to; for a Deployment another one when that is gone. */
class ForwardTarget {
  readonly #session: Session;
  readonly #word: string;
  readonly #open = new Set<Socket>();
  #pod: string;

  constructor(session: Session, word: string, pod: string) {
    this.#session = session;
    this.#word = word;
    this.#pod = pod;
  }

  async serve(socket: Socket, port: number): Promise<void> {
    this.#open.add(socket);
    try {
      // Nothing is read from it before there is somebody to give it to.
      const remote = await this.#connect(port);
      // What this side ends is half of the connection, what the Pod ends all of it.
      pipeline(socket, remote).catch(() => undefined);
      await pipeline(remote, socket);
    } catch (caught) {
      const error = IkadaError.from(caught);
      // An end of a connection in the middle is told to its client by the end itself.
      if (isOfCluster(caught)) process.stderr.write(`port ${port}: ${harmless(error.message)}\n`);
    } finally {
      this.#open.delete(socket);
      socket.destroy();
    }
  }

  close(): void {
    for (const socket of this.#open) socket.destroy();
  }

  async #connect(port: number): Promise<Duplex> {
    const { client, namespace, signal } = this.#session;
    try {
      return await client.access.connect(this.#pod, port, { namespace, signal });
    } catch (caught) {
      if (!["NotFound", "Conflict"].includes(IkadaError.from(caught).reason)) throw caught;
      const pod = await onePod(this.#session, this.#word);
      if (pod === this.#pod) throw caught;
      process.stderr.write(`pod/${this.#pod} is gone, using pod/${pod}\n`);
      this.#pod = pod;
      return await client.access.connect(pod, port, { namespace, signal });
    }
  }
}

function isOfCluster(caught: unknown): boolean {
  return caught instanceof IkadaError && caught.reason !== "Cancelled";
}

/** @throws IkadaError Unavailable when the address can't be used */
function listen(session: Session, target: ForwardTarget, { local, remote }: Forward, address: string): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) => {
    socket.on("error", () => undefined);
    void target.serve(socket, remote);
  });
  server.maxConnections = connectionsMax;
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      const hint = "choose another port, or :PORT for a free one";
      reject(
        new IkadaError("Unavailable", `${address}:${local} can't be listened at: ${error.message}`, { hint }, error),
      );
    });
    server.listen(local, address, () => {
      const { port } = server.address() as AddressInfo;
      const host = address.includes(":") ? `[${address}]` : address;
      if (!session.signal.aborted) process.stdout.write(`Forwarding from ${host}:${port} -> ${remote}\n`);
      resolve(server);
    });
  });
}
