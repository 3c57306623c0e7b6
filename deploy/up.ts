import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { get } from "node:http";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import Docker from "dockerode";
import { Client } from "../sdk/index.js";
import { readManifests } from "../cli/manifest.js";
import { kindNamed } from "../src/api/registry.js";
import type { Deployment } from "../src/api/kinds/apps.js";
import type { Node } from "../src/api/kinds/core.js";
import type { Pod } from "../src/api/kinds/pod.js";
import type { AnyObject } from "../src/api/object.js";
import { IkadaError } from "../src/base/errors.js";
import { parseArguments, runMain, type Arguments } from "./local/arguments.js";
import { ensureBusyboxImage } from "./local/busybox-image.js";
import { clusterProcesses, prepareCluster, type LocalCluster, type LocalOptions } from "./local/cluster.js";
import { isRunning, startProcesses } from "./local/processes.js";
import { joinOthers, restoreCluster } from "./local/restore.js";

// The end of `npm run up`: deploy/up has seen to packages, build and engine.

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const exampleFile = join(root, "examples", "hello.yaml");
/** For each thing that is waited for; a slow machine has time, a broken cluster is not waited for forever. */
const waitMsMax = 90_000;
const pollMs = 100;

await runMain(async () => {
  const options = parseArguments();
  const docker = new Docker();
  await ensureBusyboxImage(docker, "ikada/hello:1");
  const running = isRunning(options.folder);
  const local = { ...options, runtime: "docker" } as const;
  if (options.restore !== undefined) await restore(local, options, options.restore);
  const cluster = await prepareCluster(local);
  if (running || options.restore !== undefined) say(`the cluster in ${options.folder} is running already`);
  else await start(cluster, options);

  const client = await connect(cluster);
  try {
    await leaderOf(client, cluster);
    await eventually(`${cluster.agents.length} ready nodes`, cluster, async () => {
      const nodes = await all<Node>(client.list(kindNamed("nodes"), {}));
      const ready = nodes.filter((node) =>
        node.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True"),
      );
      return ready.length >= cluster.agents.length ? true : undefined;
    });
    // What was scaled or changed since the first time stays so.
    if (!(await exists(client, "hello"))) {
      for (const { value } of readManifests(exampleFile))
        await client.apply(value as AnyObject, { fieldManager: "ikada" });
    }
    await eventually("the Pods of examples/hello.yaml", cluster, async () => {
      const { metadata, spec, status } = (await client.get(kindNamed("deployments"), "hello", {
        namespace: "default",
      })) as unknown as Deployment;
      return status?.observedGeneration === metadata.generation &&
        status?.availableReplicas === spec.replicas &&
        status?.updatedReplicas === spec.replicas
        ? true
        : undefined;
    });
    const pods = await all<Pod>(client.list(kindNamed("pods"), { namespace: "default", labelSelector: "app=hello" }));
    const standing = pods.filter((pod) => pod.metadata.deletionTimestamp === undefined);
    for (const pod of standing) say(`http://${pod.status?.podIP}:8080/  ${await page(pod)}`);
  } finally {
    await client.close();
  }
  show(cluster, options);
});

/** Ends with a running cluster, which from then on is like any other. */
async function restore(local: LocalOptions, options: Arguments, file: string): Promise<void> {
  if (isRunning(options.folder))
    throw new IkadaError("AlreadyExists", `the cluster in ${options.folder} is running`, {
      hint: "stop it and forget its data first: npm run down -- --data",
    });
  say(`restoring ${file}`);
  const cluster = await restoreCluster(local, file);
  await start(cluster, options);
  const client = await connect(cluster);
  try {
    await leaderOf(client, cluster);
    say(`adding ${cluster.joining.map(({ name }) => name).join(", ")}`);
    await joinOthers(cluster, client);
  } finally {
    await client.close();
  }
}

async function connect(cluster: LocalCluster): Promise<Client> {
  return await Client.connect({
    endpoints: cluster.servers.map((server) => server.api),
    ca: readFileSync(join(cluster.folder, "pki", "ca.pem"), "utf8"),
    token: readFileSync(join(cluster.folder, "pki", "admin.token"), "utf8"),
  });
}

async function leaderOf(client: Client, cluster: LocalCluster): Promise<void> {
  await eventually("a leader", cluster, async () =>
    (await client.clusterStatus({ deadlineMs: 2_000 })).leader > 0 ? true : undefined,
  );
}

async function start(cluster: LocalCluster, { portBase }: Arguments): Promise<void> {
  for (const server of [...cluster.servers, ...cluster.joining]) {
    for (const address of [server.api, server.agents, server.replicas, server.raft, server.metrics])
      await checkFree(address, portBase);
  }
  for (const agent of cluster.agents) await checkFree(agent.metrics, portBase);
  say(
    `starting ${cluster.servers.length + cluster.joining.length} servers and ${cluster.agents.length} agents in ${cluster.folder}`,
  );
  await startProcesses(cluster.folder, clusterProcesses(cluster));
}

function checkFree(address: string, portBase: number): Promise<void> {
  const [host, port] = address.split(":");
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (cause) => {
      const hint = "free the port, or start on other ones: npm run up -- --port-base 17400";
      reject(
        new IkadaError(
          "Unavailable",
          `port ${port} is in use (the cluster takes ports from ${portBase} on)`,
          { hint },
          cause,
        ),
      );
    });
    probe.listen(Number(port), host, () => probe.close(() => resolve()));
  });
}

async function eventually(what: string, cluster: LocalCluster, look: () => Promise<true | undefined>): Promise<void> {
  const deadline = performance.now() + waitMsMax;
  let last: unknown;
  say(`waiting for ${what}`);
  while (performance.now() < deadline) {
    try {
      if ((await look()) === true) return;
      last = undefined;
    } catch (caught) {
      last = caught;
    }
    await sleep(pollMs);
  }
  const why = last === undefined ? "" : `: ${IkadaError.from(last).message}`;
  throw new IkadaError("Deadline", `${what} did not come within ${waitMsMax / 1000} s${why}`, {
    hint: `the logs are in ${join(cluster.folder, "logs")}`,
  });
}

async function exists(client: Client, deployment: string): Promise<boolean> {
  try {
    await client.deployments.get(deployment, { namespace: "default" });
    return true;
  } catch (caught) {
    if (IkadaError.from(caught).reason === "NotFound") return false;
    throw caught;
  }
}

async function all<T>(objects: AsyncIterable<AnyObject>): Promise<T[]> {
  const found: T[] = [];
  for await (const object of objects) found.push(object as unknown as T);
  return found;
}

function page(pod: Pod): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host: pod.status?.podIP, port: 8080, path: "/", timeout: 5_000 }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve(text.trim()));
    });
    request.on("timeout", () => request.destroy(new Error("no answer within 5 s")));
    request.on("error", (cause) =>
      reject(
        new IkadaError(
          "Unavailable",
          `Pod ${pod.metadata.name} at ${pod.status?.podIP}:8080 did not answer: ${cause.message}`,
          {},
          cause,
        ),
      ),
    );
  });
}

function show(cluster: LocalCluster, { portBase }: Arguments): void {
  const config = cluster.contextFile;
  const ikada = (...words: string[]): void => {
    process.stdout.write(`\n$ bin/ikada ${words.join(" ")}\n`);
    process.stdout.write(
      execFileSync(process.execPath, [join(root, "bin", "ikada"), ...words, "--config", config], { encoding: "utf8" }),
    );
  };
  ikada("cluster", "status");
  ikada("get", "nodes");
  ikada("get", "pods", "-o", "wide");
  const context = cluster.folder.endsWith(".ikada") ? "" : `export IKADA_CONFIG=${config}\n  `;
  const down = `npm run down${cluster.folder.endsWith(".ikada") ? "" : ` -- --port-base ${portBase}`}`;
  process.stdout.write(`
What to try next:
  ${context}bin/ikada scale deployment/hello --replicas 6 && bin/ikada rollout status deployment/hello
  bin/ikada describe deployment hello
  bin/ikada logs deployment/hello
  kill -9 $(cat ${join(cluster.folder, "run")}/server-1.pid); bin/ikada cluster status
  ${down}
`);
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
