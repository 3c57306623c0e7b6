import assert from "node:assert/strict";
import type { ContainerSpec } from "../../../node-agent/core/runtime.js";
import { plainSandbox, plainSecurity, type Workbench } from "./workbench.js";

/** What a container's spec asks for is what it finds. Call inside `describe`. */
export function settingsContract(bench: Workbench): void {
  const { create, start, stop, remove, inspect, run, sandboxSpec, untilPhase, printed } = bench;

  /** What a shell command prints that ends by itself. */
  async function output(command: string, more: Partial<ContainerSpec> = {}): Promise<string> {
    const id = await run(["sh", "-c", command], more);
    await untilPhase(id, "exited");
    return printed(id);
  }
  /** The same inside a sandbox. */
  async function outputIn(command: string, sandbox: Partial<ContainerSpec>, more: Partial<ContainerSpec> = {}) {
    const spec = { ...(await sandboxSpec()), ...sandbox };
    const sandboxId = await create(spec);
    await start(sandboxId);
    const text = await output(command, { ...more, podUid: spec.podUid, sandboxId });
    await stop(sandboxId, 0);
    return text;
  }

  it("runs as the user and the groups that it is told", async () => {
    assert.equal(await output("id -u; id -g"), "0\n0\n", "the image's user");
    const security = { ...plainSecurity, user: "1000:1001", supplementalGroups: [2000] };
    assert.equal(await output("id -u; id -g; id -G", { security }), "1000\n1001\n1001 2000\n");
  });

  it("has the rights that are left to it and no way to more", async () => {
    const rights = "grep CapEff /proc/self/status; grep NoNewPrivs /proc/self/status; grep Seccomp: /proc/self/status";
    const few = { add: ["NET_BIND_SERVICE"], drop: ["ALL"] };
    const security = { ...plainSecurity, capabilities: few, noNewPrivileges: true };
    assert.equal(await output(rights, { security }), "CapEff:\t0000000000000400\nNoNewPrivs:\t1\nSeccomp:\t2\n");
    const open = { ...plainSecurity, seccomp: "unconfined" as const };
    assert.equal(await output("grep Seccomp: /proc/self/status", { security: open }), "Seccomp:\t0\n");
    const add = { ...plainSecurity, capabilities: { add: ["SYS_NICE"], drop: ["NET_RAW"] } };
    assert.equal(await output("grep CapEff /proc/self/status", { security: add }), "CapEff:\t00000000a88405fb\n");
  });

  it("can't write to a root that is read-only, but to its termination message", async () => {
    const security = { ...plainSecurity, readOnlyRoot: true };
    const terminationMessage = { path: "/dev/termination-log", fallBackToOutput: false };
    const refused = await run(["sh", "-c", "echo x > /file"], { security });
    const free = await run(["sh", "-c", "echo x > /file"]);
    const last = await run(["sh", "-c", "echo x > /dev/termination-log"], { security, terminationMessage });
    for (const id of [refused, free, last]) await untilPhase(id, "exited");
    assert.notEqual((await inspect(refused))?.exitCode, 0);
    assert.equal((await inspect(free))?.exitCode, 0);
    assert.deepEqual([(await inspect(last))?.exitCode, (await inspect(last))?.message], [0, "x\n"]);
  });

  it("keeps a container's last words, up to a bound, or the end of its output when it failed", async () => {
    const terminationMessage = { path: "/dev/termination-log", fallBackToOutput: true };
    const message = async (command: string, more: Partial<ContainerSpec> = {}) => {
      const id = await run(["sh", "-c", command], { terminationMessage, ...more });
      await untilPhase(id, "exited");
      return (await inspect(id))?.message;
    };
    assert.equal(await message("echo out; echo farewell > /dev/termination-log; exit 3"), "farewell\n");
    assert.equal(await message("echo out; exit 0"), undefined);
    // The engine reads the two outputs apart, so that lines of one moment have no order.
    assert.equal(await message("echo out; sleep 0.5; echo wrong >&2; exit 3"), "out\nwrong\n");
    const never = { path: "/dev/termination-log", fallBackToOutput: false };
    assert.equal(await message("echo out; exit 3", { terminationMessage: never }), undefined);
    const env = [["LONG", "x".repeat(5_000)]] as const;
    assert.equal((await message("echo $LONG > /dev/termination-log", { env }))?.length, 4096);
    assert.equal((await message("echo $LONG; exit 1", { env }))?.length, 2048);
  });

  it("a message ends with its container: the next of the same name begins anew", async () => {
    const terminationMessage = { path: "/last", fallBackToOutput: false };
    const spec = { podUid: (await sandboxSpec()).podUid, terminationMessage };
    const first = await run(["sh", "-c", "echo one > /last"], spec);
    await untilPhase(first, "exited");
    await remove(first);
    const second = await run(["true"], spec);
    await untilPhase(second, "exited");
    assert.equal((await inspect(second))?.message, undefined);
  });

  it("stops by the signal that it is told", async () => {
    const id = await run(["sh", "-c", "trap 'exit 9' USR1; sleep 60 & wait"], { stopSignal: "SIGUSR1" });
    const other = await run(["sh", "-c", "trap 'exit 9' USR1; sleep 60 & wait"]);
    // The shells need a moment to set their traps.
    await bench.pause(300);
    await Promise.all([stop(id, 20_000), stop(other, 1_000)]);
    assert.deepEqual([(await inspect(id))?.exitCode, (await inspect(other))?.exitCode], [9, 137]);
  });

  it("has input only when it is told to, and one stream of output on a terminal", async () => {
    const without = await run(["cat"]);
    await untilPhase(without, "exited");
    const open = await run(["cat"], { stdin: "open" });
    await bench.pause(300);
    assert.equal((await inspect(open))?.phase, "running");
    await remove(open);
    const terminal = await run(["sh", "-c", "echo one >&2; echo two"], { tty: true });
    await untilPhase(terminal, "exited");
    assert.equal(await printed(terminal), "one\r\ntwo\r\n");
  });

  it("a sandbox gives its containers name, hosts, resolver and kernel parameters", async () => {
    const sandbox = {
      ...plainSandbox,
      hostname: "web",
      domain: "sub.ns.example",
      hostAliases: [{ ip: "10.1.2.3", hostnames: ["a.example", "b.example"] }],
      dns: {
        fromMachine: false,
        nameservers: ["192.0.2.53"],
        searches: ["one.example", "two.example"],
        options: ["ndots:2"],
      },
      sysctls: [["net.ipv4.ip_unprivileged_port_start", "500"] as const],
    };
    assert.equal(await outputIn("hostname", { sandbox }), "web\n");
    assert.match(await outputIn("cat /etc/hosts", { sandbox }), /10\.1\.2\.3\s+a\.example/);
    assert.match(await outputIn("cat /etc/hosts", { sandbox }), /web\.sub\.ns\.example\s+web/);
    assert.equal(
      await outputIn(
        "grep ^nameserver /etc/resolv.conf; grep ^search /etc/resolv.conf; grep ^options /etc/resolv.conf",
        {
          sandbox,
        },
      ),
      "nameserver 192.0.2.53\nsearch one.example two.example\noptions ndots:2\n",
    );
    assert.equal(await outputIn("cat /proc/sys/net/ipv4/ip_unprivileged_port_start", { sandbox }), "500\n");
    const lone = { ...sandbox, dns: { ...sandbox.dns, searches: [] } };
    assert.doesNotMatch(await outputIn("cat /etc/resolv.conf", { sandbox: lone }), /^search \w/m);
  });

  it("sees its own processes, or its Pod's", async () => {
    assert.equal(await outputIn("echo $$", {}), "1\n");
    assert.notEqual(await outputIn("echo $$", {}, { processes: "pod" }), "1\n");
  });

  it("shares the machine's network and processes when it is told to", async () => {
    const spec = await sandboxSpec();
    const network = { ...plainSandbox, hostname: undefined, network: "node" as const };
    const sandboxId = await create({ ...spec, sandbox: network });
    await start(sandboxId);
    assert.equal((await inspect(sandboxId))?.ip, undefined);
    const text = await output("echo $$", { podUid: spec.podUid, sandboxId, processes: "node" });
    assert.notEqual(text, "1\n");
  });

  it("tells a container by its name from one that somebody gave the same labels", async () => {
    const own = await run(["sleep", "60"]);
    assert.equal((await inspect(own))?.impostor, false);
    const foreign = await bench.impostor(own);
    assert.equal((await inspect(foreign))?.impostor, true);
    await remove(foreign);
    assert.equal(await inspect(foreign), undefined);
  });
}
