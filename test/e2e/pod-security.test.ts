import assert from "node:assert/strict";
import { ensureBusyboxImage } from "../../deploy/local/busybox-image.js";
import type { PodSpec } from "../../src/api/kinds/pod.js";
import { IkadaError } from "../../src/base/errors.js";
import { baselineViolations, strictContainer } from "../api/baseline-violations.js";
import { Harness } from "./harness.js";

const image = "ikada-test/e2e:1";
const namespace = "default";

/** What the kernel says of a process: bits of capabilities, and whether its system calls are filtered. */
const statusOf = ["/bin/grep", "-E", "^(CapBnd|CapEff|NoNewPrivs|Seccomp|Uid):", "/proc/self/status"];

/** A real server, a real agent, a real engine: what is refused, and what a container that is let in can do. */
describe("pod security on a real engine", () => {
  let cluster: Harness;

  before(async function () {
    this.timeout(300_000);
    cluster = await Harness.start({ servers: 1, agents: 1, runtime: "docker" });
    await ensureBusyboxImage(cluster.docker, image);
    await cluster.eventually("a node", async () => (await cluster.list("nodes")).length === 1);
  });

  after(async function () {
    this.timeout(300_000);
    await cluster?.close();
  });

  afterEach(function () {
    if (this.currentTest?.state === "failed") process.stderr.write(cluster.logs());
  });

  describe("a Namespace without a label refuses, by the field", () => {
    for (const { control, name, spec, field, isUnsupported } of baselineViolations)
      it(`${name} (${control})`, async () => {
        const whole = { containers: [strictContainer], ...spec };
        const create = cluster.client.pods.create({ metadata: { name: "violation", namespace }, spec: whole });
        await assert.rejects(create, (error: unknown) => {
          assert.ok(error instanceof IkadaError);
          assert.equal(error.reason, isUnsupported ? "Invalid" : "Forbidden", error.message);
          assert.ok(error.message.includes(`${field}: `), error.message);
          if (!isUnsupported) assert.match(error.message, /namespace default enforces baseline/);
          return true;
        });
      });
  });

  async function run(name: string, inNamespace: string, spec: Omit<PodSpec, "containers">, container: object) {
    await cluster.client.pods.create({
      metadata: { name, namespace: inNamespace },
      spec: {
        terminationGracePeriodSeconds: 0,
        ...spec,
        containers: [{ name: "main", image, command: ["/bin/sleep", "1000000"], ...container }],
      },
    });
    await cluster.eventually(`${name} runs`, async () => {
      const { status } = await cluster.client.pods.get(name, { namespace: inNamespace });
      return status?.containerStatuses?.[0]?.state?.running !== undefined;
    });
    const filters = { label: [`ikada.cluster=${cluster.cluster.clusterId}`, `ikada.pod-name=${name}`] };
    const found = await cluster.docker.listContainers({ filters });
    const inspect = async (role: string) => {
      const id = found.find(({ Labels }) => Labels["ikada.role"] === role)?.Id ?? "";
      return cluster.docker.getContainer(id).inspect();
    };
    let text = "";
    for await (const { data } of await cluster.client.access.exec(name, statusOf, { namespace: inNamespace }))
      text += Buffer.from(data).toString();
    const kernel = Object.fromEntries(
      text
        .trim()
        .split("\n")
        .map((line) => line.split(/:?\s+/)),
    );
    return {
      main: await inspect("container"),
      sandbox: await inspect("sandbox"),
      kernel: kernel as Record<string, string>,
    };
  }

  it("what is let in without a word has nothing of the node, and the engine's own bounds", async function () {
    this.timeout(300_000);
    const { main, sandbox, kernel } = await run("plain", namespace, {}, {});
    const { HostConfig: host } = main;
    assert.deepEqual(
      {
        privileged: host.Privileged,
        added: host.CapAdd ?? [],
        devices: host.Devices ?? [],
        binds: host.Binds ?? [],
        ports: host.PortBindings ?? {},
        options: host.SecurityOpt ?? [],
        network: host.NetworkMode,
        ipc: host.IpcMode,
        pid: host.PidMode,
        uts: host.UTSMode,
        userns: host.UsernsMode,
        sysctls: host.Sysctls ?? {},
      },
      {
        privileged: false,
        added: [],
        devices: [],
        binds: [],
        ports: {},
        options: [],
        network: `container:${sandbox.Id}`,
        ipc: `container:${sandbox.Id}`,
        pid: "",
        uts: "",
        userns: "",
        sysctls: {},
      },
    );
    const { MaskedPaths: masked = [] } = host as { MaskedPaths?: string[] };
    assert.ok(masked.includes("/proc/kcore"), masked.join());
    assert.equal(kernel["Seccomp"], "2", "system calls are filtered");
    // Neither to load modules nor to mount, trace, or set the clock or the network up.
    const bounds = BigInt(`0x${kernel["CapBnd"]}`);
    for (const bit of [12n, 16n, 17n, 19n, 21n, 25n]) assert.equal((bounds >> bit) & 1n, 0n, `capability ${bit}`);
    const { HostConfig: pause } = sandbox;
    assert.deepEqual(
      [pause.Privileged, pause.CapDrop, pause.ReadonlyRootfs, pause.SecurityOpt, pause.NetworkMode, pause.PidMode],
      [false, ["ALL"], true, ["no-new-privileges:true"], "bridge", ""],
    );
  });

  it("what the level restricted lets in has what it asks for on the container, and in the kernel", async function () {
    this.timeout(300_000);
    const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
    await cluster.client.namespaces.create({ metadata: { name: "strict", labels }, spec: {} });
    await assert.rejects(
      cluster.client.pods.create({
        metadata: { name: "lax", namespace: "strict" },
        spec: { containers: [{ name: "main", image }] },
      }),
      { reason: "Forbidden" },
    );
    const { securityContext } = strictContainer;
    const { main, kernel } = await run(
      "strict",
      "strict",
      { securityContext: { runAsUser: 1000, runAsGroup: 1000 } },
      { securityContext: { ...securityContext, readOnlyRootFilesystem: true } },
    );
    const { HostConfig: host, Config: config } = main;
    assert.deepEqual(
      [
        host.Privileged,
        host.CapDrop,
        (host.CapAdd as string[] | undefined)?.map((name) => name.replace("CAP_", "")),
        host.SecurityOpt,
      ],
      [false, ["ALL"], ["NET_BIND_SERVICE"], ["no-new-privileges:true"]],
    );
    assert.deepEqual([config.User, host.ReadonlyRootfs], ["1000:1000", true]);
    assert.deepEqual(
      [kernel["NoNewPrivs"], kernel["Seccomp"], kernel["Uid"], kernel["CapEff"]],
      ["1", "2", "1000", "0000000000000000"],
    );
    assert.equal(BigInt(`0x${kernel["CapBnd"]}`), 1n << 10n, "NET_BIND_SERVICE alone");
  });
});
