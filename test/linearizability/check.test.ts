import assert from "node:assert/strict";
import { checkRecorded, isClean, reportLines } from "./check.js";
import { readHistory, type Call, type CallEvent, type WatchedChange } from "./recorded.js";
import { timeline } from "./timeline.js";

/** A history of one key, written down call by call. */
class Story {
  readonly lines: object[] = [];
  #time = 0;

  /** One call with its answer. */
  call(f: Call, answer: Partial<CallEvent>, proc = "p1"): this {
    this.begin(f, answer, proc);
    return this.end(f, { type: "ok", ...answer }, proc);
  }

  begin(f: Call, { value, from }: Partial<CallEvent>, proc: string): this {
    const what = { ...(value !== undefined && f !== "read" && { value }), ...(from !== undefined && { from }) };
    return this.#add({ type: "invoke", f, ...what }, proc);
  }

  end(f: Call, answer: Partial<CallEvent>, proc: string): this {
    return this.#add({ f, ...answer }, proc);
  }

  watched(type: WatchedChange["type"], revision: number, value?: string, watcher = "w1"): this {
    const key = type === "BOOKMARK" ? {} : { key: "k", value };
    this.lines.push({ line: "watch", watcher, filter: "", type, revision, ...key });
    return this;
  }

  final(value: string, revision: number): this {
    this.lines.push({ line: "final", node: "server-1", key: "k", value, revision });
    return this;
  }

  report(): ReturnType<typeof checkRecorded> {
    return checkRecorded(readHistory(this.lines.map((line) => JSON.stringify(line))));
  }

  #add(what: object, proc: string): this {
    this.#time += 1;
    this.lines.push({ line: "call", t: this.#time, seq: this.#time, proc, node: "any", key: "k", ...what });
    return this;
  }
}

/** Two writes that went well, and what a watch saw of them. */
function twoWrites(): Story {
  return new Story()
    .call("create", { value: "a", revision: 5 })
    .call("cas", { value: "b", from: 5, revision: 7 })
    .watched("ADDED", 5, "a")
    .watched("MODIFIED", 7, "b");
}

describe("recorded histories", () => {
  it("accepts what is in order", () => {
    const story = twoWrites().call("read", { value: "b", revision: 7 }).watched("BOOKMARK", 9).final("b", 7);
    assert.ok(isClean(story.report()), reportLines(story.report()).join("\n"));
    assert.equal(reportLines(story.report())[0], "2 acknowledged, 0 lost, 0 doubled, 0 non-linearizable");
  });

  it("refuses a stale read, by the witness and by the search, and draws it", () => {
    const report = twoWrites().call("read", { value: "a", revision: 5 }, "p2").report();
    assert.match(report.wrong.join(), /stale/);
    assert.equal(report.nonLinearizable[0]?.stuck.proc, "p2");
    assert.match(timeline(report.nonLinearizable[0]!), /#d33/);
  });

  it("refuses a read that finds nothing where something is", () => {
    const report = twoWrites().call("read", {}, "p2").report();
    assert.match(report.wrong.join(), /found nothing/);
    assert.equal(report.nonLinearizable.length, 1);
  });

  it("finds a lost write", () => {
    assert.equal(twoWrites().call("write", { value: "c", revision: 8 }).report().lost.length, 1);
    assert.equal(twoWrites().final("b", 7).report().lost.length, 0);
    assert.match(twoWrites().final("a", 5).report().wrong.join(), /holds a at 5/);
  });

  it("finds a doubled write", () => {
    assert.equal(twoWrites().watched("MODIFIED", 8, "a").report().doubled.length, 1);
  });

  it("finds a refused write that happened", () => {
    const story = twoWrites().call("cas", { type: "fail", value: "c", from: 5 }).watched("MODIFIED", 8, "c");
    assert.match(story.report().wrong.join(), /was refused/);
  });

  it("lets a write of unknown outcome happen late, or never", () => {
    const lost = twoWrites()
      .call("write", { type: "info", value: "c" }, "p2")
      .call("read", { value: "b", revision: 7 });
    assert.ok(isClean(lost.report()), reportLines(lost.report()).join("\n"));
    const late = twoWrites()
      .call("write", { type: "info", value: "c" }, "p2")
      .call("read", { value: "b", revision: 7 })
      .call("read", { value: "c", revision: 9 })
      .watched("MODIFIED", 9, "c");
    assert.ok(isClean(late.report()), reportLines(late.report()).join("\n"));
    const back = late.call("read", { value: "b", revision: 7 }).report();
    assert.equal(back.nonLinearizable.length, 1);
  });

  it("refuses an order of revisions against real time", () => {
    const report = twoWrites().call("write", { value: "c", revision: 6 }).watched("MODIFIED", 6, "c").report();
    assert.match(report.wrong.join(), /began after an answer of revision 7/);
  });

  it("follows deletions", () => {
    const story = twoWrites().call("delete", { from: 7 }).watched("DELETED", 8, "b").call("read", {});
    assert.ok(isClean(story.report()), reportLines(story.report()).join("\n"));
    assert.equal(twoWrites().call("delete", { from: 7 }).report().lost.length, 1);
  });

  it("holds watches to their promises", () => {
    const wrong = (story: Story): string => story.report().wrong.join();
    assert.match(wrong(twoWrites().watched("ADDED", 5, "a", "w2")), /w2 missed 1 changes/);
    assert.match(wrong(twoWrites().watched("MODIFIED", 7, "b")), /twice/);
    assert.match(wrong(twoWrites().watched("ADDED", 5, "x", "w2")), /w1 saw .* w2 saw/);
    const early = twoWrites().watched("BOOKMARK", 7, undefined, "w2").watched("ADDED", 5, "a", "w2");
    assert.match(wrong(early), /went back .* after a bookmark of 7/);
    assert.match(wrong(twoWrites().watched("ADDED", 8, "c")), /wrongly/);
  });

  it("takes no file for a history that is none", () => {
    const twice = new Story().begin("write", { value: "a" }, "p1").begin("write", { value: "b" }, "p1");
    assert.throws(() => twice.report(), /two things at once/);
    const same = new Story()
      .call("write", { value: "a", revision: 1 })
      .call("write", { value: "a", revision: 2 }, "p2");
    assert.throws(() => same.report(), /written twice/);
    const afterUnknown = new Story().call("write", { type: "info", value: "a" }).call("read", {});
    assert.throws(() => afterUnknown.report(), /two things at once/);
  });
});
