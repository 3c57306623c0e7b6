import assert from "node:assert/strict";
import type { Pod } from "../../src/api/kinds/pod.js";
import { LogLines } from "../../cli/log-lines.js";
import { logSources } from "../../cli/log-sources.js";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("lines of a log", () => {
  it("are whole, with their prefix, wherever the pieces end", () => {
    const whole = bytes("eins\nzwölf\n\ndrei");
    for (let size = 1; size <= whole.length; size += 1) {
      const lines = new LogLines({ prefix: "> ", harmless: false });
      let text = "";
      for (let at = 0; at < whole.length; at += size) text += lines.push(whole.subarray(at, at + size));
      assert.equal(text + lines.end(), "> eins\n> zwölf\n> \n> drei\n");
    }
  });

  it("do nothing to a terminal, unless that is asked for", () => {
    const hostile = "a\u001b]0;title\u0007\u009b31m\rb\u202e\r\n";
    assert.equal(
      new LogLines({ prefix: "", harmless: true }).push(bytes(hostile)),
      "a\\x1b]0;title\\x07\\x9b31m\\x0db\\u202e\n",
    );
    assert.equal(new LogLines({ prefix: "", harmless: false }).push(bytes(hostile)), hostile);
  });

  it("without end are given in parts, and hold no more than one in memory", () => {
    const lines = new LogLines({ prefix: "", harmless: false });
    let printed = 0;
    for (let piece = 0; piece < 40; piece += 1) printed += lines.push(bytes("x".repeat(10_000))).length;
    assert.ok(printed > 300_000, `${printed}`);
  });
});

describe("containers whose logs are read", () => {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web", namespace: "default", uid: "u" },
    spec: {
      initContainers: [{ name: "init", image: "i" }],
      containers: [
        { name: "a", image: "i" },
        { name: "b", image: "i" },
      ],
    },
    status: {
      initContainerStatuses: [{ name: "init", restartCount: 0, state: { terminated: { exitCode: 0 } } }],
      containerStatuses: [
        { name: "a", restartCount: 2, state: { running: {} } },
        { name: "b", restartCount: 0, state: { waiting: { reason: "ContainerCreating" } } },
      ],
    },
  } as unknown as Pod;
  const names = (all: boolean, container?: string, startedOnly = false): string[] =>
    logSources(pod, { container, all }, startedOnly).map((source) => source.container);

  it("are the first, a named one, the preferred one, or all", () => {
    assert.deepEqual(names(false), ["a"]);
    assert.deepEqual(names(false, "b"), ["b"]);
    assert.deepEqual(names(true), ["init", "a", "b"]);
    const preferred = {
      ...pod,
      metadata: { ...pod.metadata, annotations: { "kubectl.kubernetes.io/default-container": "b" } },
    };
    assert.deepEqual(
      logSources(preferred, { container: undefined, all: false }, false).map(({ container }) => container),
      ["b"],
    );
  });

  it("are those that have started, each run by itself, where later ones are waited for", () => {
    assert.deepEqual(names(true, undefined, true), ["init", "a"]);
    assert.deepEqual(
      logSources(pod, { container: "a", all: false }, true).map(({ id }) => id),
      ["u/a/2"],
    );
  });
});
