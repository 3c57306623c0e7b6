import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createAuthority, issueCertificate } from "../../src/host/pki.js";

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Tests run in the root of the checkout. */
const launcher = resolve("bin", "ikada");

describe("bin/ikada", function () {
  this.timeout(60_000);
  let folder: string;
  let authority: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "ikada-cli-"));
    authority = (await createAuthority("test")).certificate;
  });
  after(() => rmSync(folder, { recursive: true }));

  function ikada(words: readonly string[], input = ""): Promise<Run> {
    return new Promise((done) => {
      const env = { PATH: process.env["PATH"], HOME: folder, NO_COLOR: "1" };
      const child = execFile(process.execPath, [launcher, ...words], { env, cwd: folder }, (error, out, err) =>
        done({ code: error === null ? 0 : Number(error.code), out, err }),
      );
      child.stdin!.end(input);
    });
  }

  function write(name: string, content: string | object): string {
    const file = join(folder, name);
    writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
    return file;
  }

  const context = (more: object = {}) =>
    write("context.json", { endpoints: ["127.0.0.1:1"], ca: authority, token: "none", ...more });

  it("0 for help and for what needs no cluster", async () => {
    const [help, kinds, bare] = await Promise.all([
      ikada(["--help"]),
      ikada(["api-resources", "--no-headers"]),
      ikada(["api-resources"]),
    ]);
    assert.deepEqual([help.code, kinds.code, bare.code], [0, 0, 0]);
    assert.match(help.out, /^ {2}rollout/m);
    assert.match(bare.out, /^NAME +SHORTNAMES +APIVERSION +NAMESPACED +KIND\n/);
    assert.match(kinds.out, /^deployments +deploy +apps\/v1 +true +Deployment$/m);
    assert.doesNotMatch(kinds.out, /NAME/);
  });

  it("2 for a command line that makes no sense, with the flag and what is missing", async () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ["frobnicate", /unknown command 'frobnicate'/],
      ["get", /missing required argument 'what'/],
      ["get pods --frob", /unknown option '--frob'/],
      ["get pods -o xml", /Allowed choices are table, wide, yaml, json, name, jsonpath=TEMPLATE/],
      ["get pods -o jsonpath", /Write jsonpath='\{\.metadata\.name\}'/],
      ["get pods -o jsonpath={.items[0}", /at character 10: "}" is not expected here/],
      ["get pods -o custom-columns=NAME", /column 1, "NAME", is not HEADER:PATH/],
      ["get pods -o custom-columns=A:.a,B:.b[", /column 2, B: JSONPath, at character 3: this bracket is not closed/],
      ["get pods -o custom-columns-file=/nowhere", /cannot read \/nowhere: no such file/],
      ["scale deploy/web", /required option '--replicas <count>' not specified/],
      ["scale deploy/web --replicas x", /'--replicas <count>' argument 'x' is invalid\. A whole number/],
      ["apply -f x --timeout 1y", /'--timeout <span>' argument '1y' is invalid\. Write 500ms/],
      ["get pods --request-timeout soon", /'--request-timeout <span>' argument 'soon' is invalid/],
    ];
    const runs = await Promise.all(cases.map(([line]) => ikada(line.split(" "))));
    for (const [index, { code, err, out }] of runs.entries()) {
      const [line, expected] = cases[index]!;
      assert.equal(code, 2, line);
      assert.match(err, expected, line);
      assert.match(err, /add --help/, line);
      assert.equal(out, "", line);
    }
  });

  it("1 and a hint without a cluster", async () => {
    const [none, missing] = await Promise.all([
      ikada(["get", "pods", "--config", join(folder, "nowhere.json")]),
      ikada(["get", "pods", "--config", context(), "--request-timeout", "300ms"]),
    ]);
    assert.equal(none.code, 1);
    assert.match(none.err, /^error \(NotFound\): cannot read .*nowhere\.json/);
    assert.equal(missing.code, 1);
    assert.match(missing.err, /^error \(\w+\): .*127\.0\.0\.1:1/);
  });

  it("a context file with a fault names file and field", async () => {
    const faulty = (name: string, content: string | object) => ikada(["get", "pods", "--config", write(name, content)]);
    const base = { endpoints: ["127.0.0.1:1"], ca: "c", token: "t" };
    const runs = await Promise.all([
      faulty("a.json", "{"),
      faulty("b.json", { ...base, endpoints: [] }),
      faulty("c.json", { ...base, token: undefined }),
      faulty("d.json", { ...base, ca: undefined, caFile: "missing.pem" }),
      faulty("e.json", { ...base, namspace: "x" }),
    ]);
    const expected = [
      /a\.json: /,
      /b\.json: endpoints: /,
      /c\.json: token: /,
      /cannot read .*missing\.pem: no such file/,
      /e\.json: namspace: .*did you mean "namespace"/,
    ];
    for (const [index, { code, err }] of runs.entries()) {
      assert.equal(code, 1);
      assert.match(err, expected[index]!);
      assert.doesNotMatch(err, /Internal|at .*\.js/);
    }
  });

  it("manifests are refused before a server is asked, at file:line:column", async () => {
    const config = context();
    const apply = (name: string, text: string) => ikada(["apply", "-f", write(name, text), "--config", config]);
    const runs = await Promise.all([
      apply("broken.yaml", "kind: Pod\nmetadata: [\n"),
      apply("unknown.yaml", "apiVersion: v1\nkind: Gizmo\nmetadata: {name: a}\n"),
      ikada(["apply", "-f", "-", "--config", config], "apiVersion: v1\nkind: Pod\nmetadata: {}\n"),
      ikada(["delete", "-f", join(folder, "absent.yaml"), "--config", config]),
    ]);
    const expected = [
      /broken\.yaml:\d+:\d+: /,
      /unknown\.yaml:2:1: kind: there is no kind "Gizmo"/,
      /stdin:3:1: metadata\.name: /,
      /cannot read .*absent\.yaml/,
    ];
    for (const [index, { code, err, out }] of runs.entries()) {
      assert.equal(code, 1);
      assert.match(err, expected[index]!);
      assert.equal(out, "");
    }
  });

  it("combinations that contradict each other are refused", async () => {
    const config = context();
    const lines = [
      "get pods a -l x=y",
      "get pod/a -A",
      "delete pods",
      "delete pods a --all",
      "events --for web",
      "logs pod/",
      "get gizmos",
    ];
    const runs = await Promise.all(lines.map((line) => ikada([...line.split(" "), "--config", config])));
    for (const [index, { code, err }] of runs.entries()) {
      assert.equal(code, 1, lines[index]);
      assert.match(err, /^error \((BadRequest|UnknownKind)\): /, lines[index]);
    }
  });

  it("terminal escapes in messages are shown, not obeyed", async () => {
    const { err } = await ikada(["get", "pod/\u001b[2Jx/y", "--config", context()]);
    assert.ok(!err.includes("\u001b") && err.includes("\\x1b[2Jx"));
  });

  it("certificates: made once, private keys for the owner only, renewed when asked", async () => {
    const pki = join(folder, "pki");
    const issue = [
      "certificate",
      "issue",
      "--authority",
      pki,
      "--role",
      "server",
      "--name",
      "s1",
      "--address",
      "127.0.0.1",
      "--out",
      pki,
    ];
    assert.equal((await ikada(["certificate", "authority", "--out", pki])).code, 0);
    assert.equal((await ikada(issue)).code, 0);
    for (const name of ["ca.key", "s1.key"]) assert.equal(statSync(join(pki, name)).mode & 0o777, 0o600);
    const certificate = readFileSync(join(pki, "s1.pem"), "utf8");
    const again = await ikada(issue);
    assert.equal(again.code, 1);
    assert.match(again.err, /AlreadyExists.*s1\.pem/);
    assert.equal(readFileSync(join(pki, "s1.pem"), "utf8"), certificate);
    assert.equal((await ikada([...issue, "--replace"])).code, 0);
    assert.notEqual(readFileSync(join(pki, "s1.pem"), "utf8"), certificate);
    const overwritten = await ikada(["certificate", "authority", "--out", pki]);
    assert.match(overwritten.err, /AlreadyExists.*ca\.pem/);
    const authority = {
      certificate: readFileSync(join(pki, "ca.pem"), "utf8"),
      key: readFileSync(join(pki, "ca.key"), "utf8"),
    };
    await issueCertificate(authority, { role: "node", name: "n1", addresses: [], days: 1 });
  });

  it("a token and its SHA-256 belong together", async () => {
    const { out } = await ikada(["token"]);
    const [, token, sha256] = /^token: +(\S{43})\nsha256: ([0-9a-f]{64})\n$/.exec(out)!;
    assert.equal(execFileSync("sha256sum", { input: token! }).toString().slice(0, 64), sha256);
  });

  describe("completion", () => {
    /** What bash would offer for the last word of `line`. */
    async function offers(line: string, before = ""): Promise<string[]> {
      const { out } = await ikada(["completion", "bash"]);
      const words = line.split(" ");
      const set = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}`;
      const script = `${before}\n${out}\n${set}\n_ikada\nprintf '%s\\n' "\${COMPREPLY[@]}"`;
      return execFileSync("bash", ["--norc", "-c", script], { encoding: "utf8" }).trim().split("\n");
    }

    it("offers commands, subcommands, kinds and flags", async () => {
      assert.deepEqual(await offers("ikada desc"), ["describe"]);
      assert.ok((await offers("ikada get dep")).includes("deployments"));
      assert.deepEqual(await offers("ikada rollout st"), ["status"]);
      assert.deepEqual(await offers("ikada apply --reque"), ["--request-timeout"]);
      assert.deepEqual(await offers("ikada -n web get conf"), ["configmaps", "configmap"]);
      assert.deepEqual(await offers("ikada apply --server"), [""]);
      assert.deepEqual(await offers("ikada rollout undo --to"), ["--to-revision"]);
      assert.deepEqual(await offers("ikada context set prod --ca"), ["--ca-file"]);
      for (const command of ["label", "annotate", "edit", "patch", "wait", "explain"])
        assert.deepEqual(await offers(`ikada ${command} configm`), ["configmaps", "configmap"], command);
    });

    it("offers the choices of a flag, and contexts", async () => {
      assert.deepEqual(await offers("ikada patch cm x --type "), ["strategic", "merge", "json"]);
      assert.deepEqual(await offers("ikada get pods -o js"), ["json", "jsonpath=", "jsonpath-file="]);
      assert.deepEqual(await offers("ikada delete cm x --cascade f"), ["foreground"]);
      const list = "ikada() { printf '*         prod   a:1\\n          other   b:1\\n'; }";
      assert.deepEqual(await offers("ikada get pods --context ", list), ["prod", "other"]);
      assert.deepEqual(await offers("ikada context use o", list), ["other"]);
    });

    it("every command has a help that says what it does, with all its flags", async () => {
      const { out } = await ikada(["--help"]);
      const commands = [...out.matchAll(/^ {2}([a-z][a-z-]+) /gm)]
        .map((match) => match[1]!)
        .filter((name) => name !== "help");
      assert.ok(commands.length >= 21, commands.join(" "));
      const helps = await Promise.all(commands.map((command) => ikada([command, "--help"])));
      for (const [index, { code, out: help }] of helps.entries()) {
        assert.equal(code, 0);
        assert.match(help, /^Usage: ikada .*\n\n\S.{10,}/, commands[index]);
        for (const line of help.split("\n").filter((line) => /^ {2}-/.test(line)))
          assert.match(line, /^ {2}(-\w, )?--[a-z-]+.* {2,}\S/, `${commands[index]}: ${line}`);
      }
    });

    it("the script for zsh begins by loading bash's completion", async () => {
      const { out } = await ikada(["completion", "zsh"]);
      assert.match(out, /^autoload -U \+X bashcompinit && bashcompinit\n/);
    });
  });
});
