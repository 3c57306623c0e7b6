import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Etcd3 } from "etcd3";
import { Harness } from "./harness.js";

const etcdctl = found("etcdctl");
const needs = etcdctl ? "" : " (skipped: needs etcdctl, Debian's etcd-client)";

describe(`etcd's clients with a running cluster${needs}`, function () {
  this.timeout(300_000);
  let harness: Harness;
  let environment: NodeJS.ProcessEnv;

  before(async function () {
    if (!etcdctl) this.skip();
    harness = await Harness.start({ servers: 3, agents: 0, runtime: "fake" });
    const { stdout } = await harness.ikada("etcd", "env");
    const variables = [...stdout.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name, value]) => [name!, value!]);
    environment = { ...process.env, ...Object.fromEntries(variables) };
  });

  after(() => harness?.close());

  /** Runs etcdctl, which has to succeed, and gives the lines of its output. */
  function ctl(...words: string[]): Promise<string[]> {
    return run(words, "");
  }

  function run(words: readonly string[], input: string): Promise<string[]> {
    return new Promise((resolve, reject) => {
      const child = execFile("etcdctl", [...words], { env: environment }, (error, stdout, stderr) => {
        if (error) reject(new Error(`etcdctl ${words.join(" ")}: ${stdout}${stderr}`));
        else resolve(stdout.trimEnd().split("\n"));
      });
      child.stdin?.end(input);
    });
  }

  it("puts, gets, deletes, at present and past revisions", async () => {
    assert.deepEqual(await ctl("put", "app/a", "1"), ["OK"]);
    const [first] = (await ctl("get", "app/a", "-w", "json")).map((line) => JSON.parse(line) as Answer);
    assert(first);
    await ctl("put", "app/b", "2");
    assert.deepEqual(await ctl("put", "app/a", "3", "--prev-kv"), ["OK", "app/a", "1"]);
    assert.deepEqual(await ctl("get", "app/", "--prefix"), ["app/a", "3", "app/b", "2"]);
    assert.deepEqual(await ctl("get", "app/", "--prefix", `--rev=${first.header.revision}`), ["app/a", "1"]);
    assert.deepEqual(await ctl("get", "app/", "--prefix", "--keys-only", "--order=DESCEND", "--sort-by=MODIFY"), [
      "app/a",
      "",
      "app/b",
    ]);
    assert.deepEqual(await ctl("del", "app/", "--prefix"), ["2"]);
    await assert.rejects(ctl("get", "app/a", "--rev=1000000"), /required revision is a future revision/);
  });

  it("runs transactions", async () => {
    await ctl("put", "k", "old");
    const txn = 'value("k") = "old"\nmod("none") = "0"\n\nput k new\nget k\n\nput k wrong\n\n';
    assert.deepEqual(await run(["txn"], txn), ["SUCCESS", "", "OK", "", "k", "new"]);
    assert.deepEqual((await run(["txn"], txn))[0], "FAILURE");
    await assert.rejects(run(["txn"], "\n\nput k 1\nput k 2\n\n\n"), /duplicate key given/);
  });

  it("watches from the past on, over all servers", async () => {
    const [before] = (await ctl("get", "none", "-w", "json")).map((line) => JSON.parse(line) as Answer);
    await ctl("put", "w/1", "a");
    await ctl("del", "w/1");
    for (const endpoint of environment["ETCDCTL_ENDPOINTS"]!.split(",")) {
      const words = ["watch", "w/", "--prefix", "--prev-kv", `--rev=${before!.header.revision + 1}`];
      const watch = spawn("etcdctl", words, { env: { ...environment, ETCDCTL_ENDPOINTS: endpoint } });
      let seen = "";
      watch.stdout.setEncoding("utf8").on("data", (text: string) => (seen += text));
      await harness.eventually("the past", () => Promise.resolve(seen.includes("DELETE\nw/1\na\nw/1\n")));
      await ctl("put", `w/${endpoint}`, "live");
      await harness.eventually("the present", () => Promise.resolve(seen.includes(`PUT\nw/${endpoint}\nlive\n`)));
      watch.kill();
    }
  });

  it("grants leases, which end with their keys unless they are kept alive", async () => {
    const [granted] = await ctl("lease", "grant", "2");
    const lease = /^lease (\w+) granted with TTL\(2s\)$/.exec(granted ?? "")?.[1];
    assert(lease, granted);
    await ctl("put", "leased", "x", `--lease=${lease}`);
    assert.match(
      (await ctl("lease", "timetolive", lease, "--keys")).join(),
      /granted with TTL\(2s\), remaining\([0-2]s\), attached keys\(\[leased\]\)/,
    );
    assert.deepEqual(await ctl("lease", "list"), ["found 1 leases", lease]);
    const keeper = spawn("etcdctl", ["lease", "keep-alive", lease], { env: environment });
    await sleep(4_000);
    assert.deepEqual(await ctl("get", "leased"), ["leased", "x"]);
    keeper.kill();
    await harness.eventually("the end of the lease", async () => (await ctl("get", "leased")).join() === "");
    assert.match((await ctl("lease", "timetolive", lease)).join(), /already expired/);
    await assert.rejects(ctl("put", "leased", "x", `--lease=${lease}`), /requested lease not found/);
    const [other] = await ctl("lease", "grant", "600");
    const id = other!.split(" ")[1]!;
    assert.deepEqual(await ctl("lease", "revoke", id), [`lease ${id} revoked`]);
  });

  it("shows members, states and equal hashes", async () => {
    const members = await ctl("member", "list");
    assert.equal(members.length, 3);
    assert.match(members[0]!, /^1, started, server-1, https:\/\/.*, https:\/\/.*, false$/);
    const states = (await ctl("endpoint", "status", "--write-out=json")).join("");
    const parsed = JSON.parse(states) as { Status: { header: { member_id: number }; leader: number } }[];
    assert.deepEqual(
      parsed.map(({ Status }) => Status.header.member_id).sort((left, right) => left - right),
      [1, 2, 3],
    );
    assert.equal(new Set(parsed.map(({ Status }) => Status.leader)).size, 1);
    await ctl("endpoint", "health");
    const hashes = (await ctl("endpoint", "hashkv")).map((line) => line.split(", ")[1]);
    assert.equal(new Set(hashes).size, 1, hashes.join());
  });

  it("compacts, and says so", async () => {
    for (const value of ["1", "2", "3"]) await ctl("put", "c", value);
    const [present] = (await ctl("get", "c", "-w", "json")).map((line) => JSON.parse(line) as Answer);
    const { revision } = present!.header;
    assert.deepEqual(await ctl("compaction", `${revision}`), [`compacted revision ${revision}`]);
    await assert.rejects(ctl("get", "c", `--rev=${revision - 1}`), /required revision has been compacted/);
    await assert.rejects(ctl("compaction", `${revision}`), /required revision has been compacted/);
    assert.deepEqual(await ctl("get", "c", `--rev=${revision}`), ["c", "3"]);
  });

  it("takes a user's certificate instead of a token", async () => {
    const folder = `${harness.cluster.folder}/pki`;
    const [role, name] = ["user", "admin"];
    await harness.ikada("certificate", "issue", "--authority", folder, "--role", role, "--name", name, "--out", folder);
    const { ETCDCTL_USER: user, ...certified } = environment;
    environment = { ...certified, ETCDCTL_CERT: `${folder}/admin.pem`, ETCDCTL_KEY: `${folder}/admin.key` };
    try {
      assert.deepEqual(await ctl("put", "by/certificate", "1"), ["OK"]);
      assert.deepEqual(await ctl("get", "by/certificate"), ["by/certificate", "1"]);
      environment["ETCDCTL_CERT"] = `${folder}/server-1.pem`;
      environment["ETCDCTL_KEY"] = `${folder}/server-1.key`;
      await assert.rejects(ctl("get", "by/certificate"), /invalid auth token/);
    } finally {
      environment = { ...certified, ETCDCTL_USER: user };
    }
  });

  it("refuses strangers", async () => {
    const user = environment["ETCDCTL_USER"];
    environment["ETCDCTL_USER"] = "token:wrong";
    try {
      await assert.rejects(ctl("get", "k"), /invalid user ID or password/);
    } finally {
      environment["ETCDCTL_USER"] = user;
    }
  });
});

describe("npm's etcd3 with a running cluster", function () {
  this.timeout(300_000);

  it("puts, reads, compares, watches, leases and locks", async () => {
    const harness = await Harness.start({ servers: 3, agents: 0, runtime: "fake" });
    const read = (name: string): Buffer => readFileSync(`${harness.cluster.folder}/pki/${name}`);
    const client = new Etcd3({
      hosts: harness.cluster.servers.map(({ api }) => `https://${api}`),
      credentials: { rootCertificate: read("ca.pem") },
      auth: { username: "token", password: read("admin.token").toString().trim() },
    });
    try {
      await client.put("app/a").value("1");
      await client.put("app/b").value("2");
      assert.deepEqual(await client.getAll().prefix("app/").strings(), { "app/a": "1", "app/b": "2" });
      assert.deepEqual(await client.getAll().prefix("app/").sort("Key", "Descend").limit(1).keys(), ["app/b"]);
      const done = await client
        .if("app/a", "Value", "==", "1")
        .then(client.put("app/a").value("3"), client.get("app/b"))
        .else(client.delete().key("app/a"))
        .commit();
      assert.equal(done.succeeded, true);
      const watcher = await client.watch().prefix("app/").create();
      const seen = new Promise<string>((resolve) =>
        watcher.on("put", (kv) => resolve(`${kv.key.toString()}=${kv.value.toString()}`)),
      );
      await client.put("app/c").value("4");
      assert.equal(await seen, "app/c=4");
      await watcher.cancel();
      const lease = client.lease(5);
      await lease.put("app/leased").value("x");
      assert.equal(await client.get("app/leased").string(), "x");
      await lease.revoke();
      assert.equal(await client.get("app/leased").string(), null);
      const lock = client.lock("work");
      await lock.acquire();
      await assert.rejects(client.lock("work").acquire(), /lock/i);
      await lock.release();
      assert.equal(
        await client
          .delete()
          .prefix("app/")
          .exec()
          .then(({ deleted }) => Number(deleted)),
        3,
      );
    } finally {
      client.close();
      await harness.close();
    }
  });
});

interface Answer {
  readonly header: { readonly revision: number };
}

function found(program: string): boolean {
  try {
    execFileSync("which", [program], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
