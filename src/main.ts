import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { IkadaError } from "./base/errors.js";
import { checkLimits } from "./base/limits.js";
import { Scope } from "./base/lifecycle.js";
import { restore } from "./backup/restore-main.js";
import { readServerConfig, type ServerConfig } from "./config.js";
import { allControllers } from "./controllers/catalog.js";
import { RevokedLeases } from "./controllers/revoked-leases.js";
import { Runner } from "./controllers/runner.js";
import { defaultControllerSettings } from "./controllers/settings.js";
import { hostEnv, type HostEnv } from "./host/env.js";
import { failureText } from "./host/failure-text.js";
import { hostLog } from "./host/log.js";
import { createMetrics, serveMetrics } from "./host/metrics.js";
import { loadTlsFiles } from "./host/tls.js";
import { tokenOwner } from "./host/tokens.js";
import { handOver } from "./hand-over.js";
import { Leadership } from "./leadership.js";
import { ObjectCache } from "./objects/cache.js";
import { objectStoreOf } from "./objects/object-store.js";
import { openReplica } from "./replica.js";
import { podExplainer } from "./scheduler/explain-pod.js";
import { Scheduler } from "./scheduler/scheduler.js";
import { startListeners } from "./server/server.js";
import { CompactionPolicy } from "../store/compaction-policy.js";
import { Lessor } from "../store/etcd/lessor.js";

/** A process that has to stop, and has not after this time, is ended. */
const closeMsMax = 15_000;

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

/** Builds a server in order, and gives the scope that closes it in reverse order. */
async function start(config: ServerConfig, env: HostEnv, scope: Scope): Promise<void> {
  const { log } = env;
  const tls = loadTlsFiles({ certificate: config.tls.certificate, key: config.tls.key, authority: config.tls.ca });
  const registry = createMetrics({ cluster: config.clusterId, server: config.name });

  let leadership: Leadership | undefined;
  const { store, control, book } = await openReplica(
    config,
    env,
    scope,
    (status) => leadership?.observe(status),
    (error) => die(log, error),
  );
  const cache = scope.use(new ObjectCache(store, log));
  const revokedLeases = scope.use(new RevokedLeases(cache, env.clock));
  const server = await startListeners({
    id: config.id,
    clusterId: config.clusterId,
    version,
    members: book,
    listen: config.listen,
    tls,
    users: config.users,
    store,
    backups: store,
    etcd: store.etcd,
    cache,
    replica: control,
    explainers: { "/Pod": podExplainer(config.scheduler) },
    registry,
    clock: env.clock,
    timers: env.timers,
    random: env.random,
    log,
  });
  scope.use({ close: () => server.close() });

  leadership = scope.use(
    new Leadership({
      timers: env.timers,
      log,
      barrier: (done) => store.barrierThen((error) => done(error)),
      open: (leading, term) => {
        const { historyHours, historyMegabytes } = config.store;
        const history = { historyMs: historyHours * 3_600_000, historyBytes: historyMegabytes * 2 ** 20 };
        leading.use(new CompactionPolicy({ ...env, log: log.with({ keyspace: "objects" }) }, store, history));
        leading.use(new CompactionPolicy({ ...env, log: log.with({ keyspace: "etcd" }) }, store.etcd, history));
        leading.use(server.leases.lead(new Lessor(env, store.etcd, term)));
        leading.use(
          new Runner({
            env,
            objects: objectStoreOf(cache, (request, done) => store.writeThen(request, done)),
            controllers: allControllers(defaultControllerSettings),
            passes: [new Scheduler(config.scheduler)],
            nodeSilentMs: (node) => server.liveness.nodeSilentMs(node),
            leaseRevokedForMs: (podUid) => revokedLeases.revokedForMs(podUid),
          }),
        );
      },
    }),
  );
  const status = store.status();
  if (status) leadership.observe(status);

  if (config.listen.metrics !== undefined) {
    const ownerOf = tokenOwner(config.users);
    scope.use(await serveMetrics({ registry, address: config.listen.metrics, tls, ownerOf }));
  }
  // The first of all that a stop does.
  scope.defer(() => handOver(control));
  void serveWhenCaughtUp(store, (serving) => server.setServing(serving), scope);
}

/** Load balancers should send nobody to a replica that has just started and is behind. */
async function serveWhenCaughtUp(
  store: { barrier(): Promise<unknown> },
  setServing: (serving: boolean) => void,
  scope: Scope,
): Promise<void> {
  while (!scope.closed) {
    try {
      await store.barrier();
      if (!scope.closed) setServing(true);
      return;
    } catch (caught) {
      if (IkadaError.from(caught).reason !== "Deadline" && IkadaError.from(caught).reason !== "NoLeader") return;
    }
  }
}

/** A replica that might be wrong must not answer: nothing is closed, the process ends. */
function die(log: HostEnv["log"], error: unknown): void {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  log.error("this server can't go on", { error: message, stack });
  // The last line has to reach its file.
  setImmediate(() => process.exit(exitCodeOf(error)));
}

/** A server that was removed from its cluster is not to be started again: systemd and the local supervisor know the code. */
function exitCodeOf(error: unknown): number {
  return error instanceof IkadaError && error.reason === "Removed" ? 4 : 1;
}

async function main(): Promise<void> {
  checkLimits();
  if (process.argv[2] === "restore") return await restore(process.argv.slice(3));
  const { values } = parseArgs({ options: { config: { type: "string" }, "print-config": { type: "boolean" } } });
  if (values.config === undefined)
    throw new IkadaError(
      "BadRequest",
      "usage: ikada server --config FILE [--print-config], or ikada server restore --from FILE --config FILE",
    );
  const config = readServerConfig(values.config);
  if (values["print-config"] === true) {
    process.stdout.write(`${JSON.stringify(config, undefined, 2)}\n`);
    return;
  }
  const log = hostLog({ level: config.logLevel, fields: { server: config.name } });
  process.on("uncaughtException", (error) => die(log, error));
  process.on("unhandledRejection", (error) => die(log, error));
  log.info("starting", { version, cluster: config.clusterId, data: config.dataFolder, pid: process.pid });
  const env = hostEnv({ dataFolder: config.dataFolder, log, failpoints: process.env["IKADA_FAILPOINTS"] ?? "" });
  const scope = new Scope();
  scope.use(env);
  const stop = (signal: string): void => {
    log.info("stopping", { signal });
    setTimeout(() => die(log, new Error(`not closed within ${closeMsMax} ms`)), closeMsMax).unref();
    scope.close().then(
      () => log.info("stopped"),
      (error: unknown) => die(log, error),
    );
  };
  process.once("SIGTERM", () => stop("SIGTERM"));
  process.once("SIGINT", () => stop("SIGINT"));
  try {
    await start(config, env, scope);
  } catch (caught) {
    await scope.close();
    throw caught;
  }
}

try {
  await main();
} catch (caught) {
  process.stderr.write(failureText(caught));
  process.exit(exitCodeOf(caught));
}
