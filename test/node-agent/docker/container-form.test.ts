import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { containerSpec, sandboxSpec } from "../../../node-agent/core/container-spec.js";
import { createOptions } from "../../../node-agent/docker/container-form.js";
import { seccompProfile } from "../../../node-agent/docker/machine-files.js";
import { Messages } from "../../../node-agent/docker/messages.js";
import type { PodSpec } from "../../../src/api/kinds/pod.js";
import { podOf } from "../agent-world.js";

const owner = { clusterId: "c", node: "n" };
const parts = {
  seccompProfile: undefined,
  messageFile: "/m",
  mounts: [],
  resolver: { nameservers: ["192.0.2.1"], searches: [] },
};
const nothing = { variables: [], command: [], args: [] };

function forms(spec: Partial<PodSpec>, imageUser = "") {
  const pod = podOf("p", spec);
  const [container] = pod.spec.containers;
  if (container === undefined) throw new Error("no container");
  return {
    sandbox: createOptions(owner, undefined, sandboxSpec(pod, 0, "s"), parts).HostConfig ?? {},
    main: createOptions(
      owner,
      undefined,
      containerSpec(pod, container, 0, "id", nothing, { reference: container.image, user: imageUser }, []),
      parts,
    ),
  };
}

describe("what the engine is asked to make", () => {
  it("gives a plain Pod nothing of its node", () => {
    const { sandbox, main } = forms({});
    assert.deepEqual(
      [sandbox.NetworkMode, sandbox.IpcMode, sandbox.PidMode, sandbox.Privileged, sandbox.CapDrop],
      ["bridge", "shareable", undefined, undefined, ["ALL"]],
    );
    const { NetworkMode, IpcMode, PidMode, Privileged, CapAdd, SecurityOpt, Binds } = main.HostConfig ?? {};
    assert.deepEqual([NetworkMode, IpcMode], ["container:id", "container:id"]);
    assert.deepEqual([PidMode, Privileged, CapAdd, SecurityOpt, Binds, main.User], Array(6).fill(undefined));
  });

  it("shares the node where the Pod does", () => {
    const { sandbox, main } = forms({
      hostNetwork: true,
      hostIPC: true,
      hostPID: true,
      containers: [{ name: "main", image: "i", securityContext: { privileged: true } }],
    });
    assert.deepEqual([sandbox.NetworkMode, sandbox.IpcMode, sandbox.PortBindings], ["host", "host", {}]);
    assert.deepEqual([main.HostConfig?.PidMode, main.HostConfig?.Privileged], ["host", true]);
  });

  it("publishes the ports that the Pod names", () => {
    const ports = [{ containerPort: 80, hostPort: 8080, hostIP: "192.0.2.9" }, { containerPort: 81 }];
    const { sandbox } = forms({ containers: [{ name: "main", image: "i", ports }] });
    assert.deepEqual(sandbox.PortBindings, { "80/tcp": [{ HostIp: "192.0.2.9", HostPort: "8080" }] });
  });

  it("a group alone goes with the image's user", () => {
    const containers = [{ name: "main", image: "i", securityContext: { runAsGroup: 7 } }];
    assert.equal(forms({ containers }).main.User, "0:7");
    assert.equal(forms({ containers }, "web:web").main.User, "web:7");
    assert.equal(forms({ containers, securityContext: { runAsUser: 5, fsGroup: 9 } }).main.User, "5:7");
    assert.deepEqual(forms({ securityContext: { fsGroup: 9 } }).main.HostConfig?.GroupAdd, ["9"]);
  });

  it("adds to the machine's resolver, or stands for it", () => {
    const dnsConfig = { nameservers: ["192.0.2.2"], searches: ["a.example"] };
    assert.deepEqual(forms({ dnsConfig }).sandbox.Dns, ["192.0.2.1", "192.0.2.2"]);
    assert.deepEqual(forms({ dnsConfig, dnsPolicy: "None" }).sandbox.Dns, ["192.0.2.2"]);
    assert.equal(forms({}).sandbox.Dns, undefined);
  });
});

describe("files of the machine", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ikada-files-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("a seccomp profile is a file in the folder, and nothing outside", async () => {
    const root = join(folder, "profiles");
    mkdirSync(root);
    writeFileSync(join(root, "mine.json"), '{ "defaultAction": "SCMP_ACT_ALLOW" }');
    writeFileSync(join(folder, "outside.json"), "{}");
    symlinkSync(join(folder, "outside.json"), join(root, "link.json"));
    assert.equal(await seccompProfile(root, "mine.json"), '{"defaultAction":"SCMP_ACT_ALLOW"}');
    for (const name of ["link.json", "../outside.json", "none.json"])
      await assert.rejects(seccompProfile(root, name), { reason: "Invalid" });
    await assert.rejects(seccompProfile(undefined, "mine.json"), /no folder of profiles/);
  });

  it("messages of containers that are gone go too, those of containers in the making stay", async () => {
    const messages = new Messages(join(folder, "messages"));
    const identity = { ...sandboxSpec(podOf("p"), 0, "s"), containerName: "main" };
    const [one, two, three] = [identity, { ...identity, attempt: 1 }, { ...identity, attempt: 2 }] as const;
    for (const spec of [one, two]) (await messages.create(spec)).made();
    const making = await messages.create(three);
    await messages.keepOnly([two]);
    assert.deepEqual(readdirSync(join(folder, "messages")), ["uid-p_main_1", "uid-p_main_2"]);
    making.made();
    symlinkSync("/etc/passwd", join(folder, "messages", "uid-p_main_0"));
    await assert.rejects(messages.read(one), /ELOOP/);
  });
});
