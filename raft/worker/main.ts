import { parentPort, workerData, type MessagePort } from "node:worker_threads";
import { logVerbosity, setLogVerbosity } from "@grpc/grpc-js";
import type { Log, LogFields } from "../../src/base/env.js";
import { invariant } from "../../src/base/errors.js";
import { hostEnv, type HostEnv } from "../../src/host/env.js";
import { loadTlsFiles } from "../../src/host/tls.js";
import type { ConsensusHandlers } from "../consensus.js";
import { Driver } from "../driver.js";
import { unpackBytes } from "./packed-bytes.js";
import type { ConsensusWorkerOptions, Delivery, LogLevel, ToWorker } from "./port-messages.js";
import { packEntries, packError } from "./port-messages.js";
import { Transport } from "./transport.js";

/** The consensus thread: log, driver and streams to the peers, away from the main thread's garbage and long work. */

invariant(parentPort !== null, "this file is the entry of a worker thread");
const port: MessagePort = parentPort;
const options = workerData as ConsensusWorkerOptions;

let outgoing: Delivery[] = [];
const post = (delivery: Delivery): void => {
  // At the end of the turn that this is part of.
  if (outgoing.length === 0) queueMicrotask(flush);
  outgoing.push(delivery);
};

function flush(): void {
  const deliveries = outgoing;
  outgoing = [];
  const buffers = deliveries.flatMap((delivery) =>
    delivery.type === "committed" ? [delivery.entries.data.buffer] : [],
  );
  if (deliveries.length > 0) port.postMessage(deliveries, buffers);
}

class PortLog implements Log {
  readonly #fields: LogFields;

  constructor(fields: LogFields) {
    this.#fields = fields;
  }

  debug(message: string, fields?: LogFields): void {
    this.#post("debug", message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#post("info", message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#post("warn", message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#post("error", message, fields);
  }

  with(fields: LogFields): Log {
    return new PortLog({ ...this.#fields, ...fields });
  }

  #post(level: LogLevel, message: string, fields: LogFields | undefined): void {
    post({ type: "log", level, message, fields: { ...this.#fields, ...fields } });
  }
}

const handlers: ConsensusHandlers = {
  onCommitted: (entries) => post({ type: "committed", entries: packEntries(entries) }),
  onSnapshotWanted: (request) => post({ type: "snapshotWanted", request }),
  onSnapshot: (snapshot) => post({ type: "snapshot", snapshot }),
  onReadIndex: (tag, index) => post({ type: "read", tag, index }),
  onRefused: (tag, reason, detail) => post({ type: "refused", tag, reason, detail }),
  onMembersChanged: (tag, configuration) => post({ type: "membersChanged", tag, configuration }),
  onStatus: (status) => post({ type: "status", status }),
  onFatal: (error) => post({ type: "fatal", error: packError(error) }),
};

async function start(): Promise<void> {
  const { id, clusterId, members, removed = [], join = false, tickMs } = options;
  const env = hostEnv({
    dataFolder: options.dataFolder,
    threadFolder: "log",
    log: new PortLog({ member: id }),
    failpoints: options.failpoints ?? "",
  });
  const tls = loadTlsFiles(options.tls);
  const onRemoved = (error: Error): void => handlers.onFatal(error);
  const known = { members, removed };
  const transport = await Transport.start({ id, clusterId, listen: options.listen, ...known, tls, env, onRemoved });
  const driverOptions = {
    id,
    clusterId,
    initialMembers: join ? [] : members.map((member) => member.id),
    appliedIndex: options.appliedIndex,
    dataFolder: options.dataFolder,
    snapshot: options.snapshot,
    snapshotChannel: transport.snapshots,
    ...(options.compaction && { compaction: options.compaction }),
    ...(options.snapshots && { snapshots: options.snapshots }),
    ...(tickMs !== undefined && { tickMs }),
  };
  Driver.open(driverOptions, env, transport, handlers, (error, driver) => {
    if (error) {
      transport.close();
      void end({ type: "failed", error: packError(error) }, env);
      return;
    }
    port.on("message", (message: ToWorker) => handle(message, driver, transport, env));
    post({ type: "started", port: transport.port });
  });
}

function handle(message: ToWorker, driver: Driver, transport: Transport, env: HostEnv): void {
  const { proposals, reads, applied, transferTo, snapshotTaken, memberChange, members, stop } = message;
  if (proposals) {
    const data = unpackBytes(proposals.data);
    for (const [at, tag] of proposals.tags.entries()) driver.propose(tag, data[at] as Uint8Array);
  }
  for (const tag of reads ?? []) driver.readIndex(tag);
  if (applied) driver.applied(applied.index, applied.durable);
  if (snapshotTaken) driver.snapshotTaken(snapshotTaken[0]);
  if (transferTo !== undefined) driver.transferLeadership(transferTo);
  if (memberChange) driver.changeMembers(memberChange.tag, memberChange.change, memberChange.asOf);
  if (members) transport.setMembers(members);
  if (stop)
    driver.stop((error) => {
      transport.close();
      void end(error ? { type: "fatal", error: packError(error) } : { type: "stopped" }, env);
    });
}

/** With files, streams and port closed nothing holds the thread. */
async function end(last: Delivery, env: HostEnv): Promise<void> {
  await env.close();
  post(last);
  flush();
  port.close();
}

// What goes wrong is reported through the port.
setLogVerbosity(logVerbosity.NONE);
start().catch((error: unknown) => {
  post({ type: "failed", error: packError(error) });
  flush();
  port.close();
});
