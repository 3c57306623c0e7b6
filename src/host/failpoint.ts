import { IkadaError } from "../base/errors.js";
import type { Failpoint } from "../base/env.js";

interface Rule {
  readonly action: "kill" | "sleep" | "error";
  readonly sleepMs: number;
  /** The pass (1 = first) on which it acts; 0 for each. */
  readonly pass: number;
}

const rulePattern = /^([A-Za-z0-9._-]+)=(?:(kill|error)|(sleep):([0-9]{1,6}))(?:@([1-9][0-9]{0,8}))?$/;

/**
 * Parses `IKADA_FAILPOINTS`: rules separated by `;`, each `name=kill`, `name=error` or `name=sleep:<ms>`, with
 * `@n` to act on the n-th pass only. `kill` ends the process by SIGKILL, `error` throws, `sleep` blocks
 * the thread. A text that is empty gives a failpoint that does nothing.
 * @throws IkadaError BadRequest for anything else
 */
export function parseFailpoints(text: string): Failpoint {
  const rules = new Map<string, Rule[]>();
  for (const part of text.split(";")) {
    if (part.trim() === "") continue;
    const match = rulePattern.exec(part.trim());
    if (!match) {
      throw new IkadaError("BadRequest", `IKADA_FAILPOINTS: rule "${part.trim()}" is not understood`, {
        hint: "Write name=kill@3, name=error@1 or name=sleep:100, separated by semicolons.",
      });
    }
    const name = match[1] ?? "";
    const action = match[3] === "sleep" ? "sleep" : match[2] === "kill" ? "kill" : "error";
    const rule: Rule = { action, sleepMs: Number(match[4] ?? 0), pass: Number(match[5] ?? 0) };
    rules.set(name, [...(rules.get(name) ?? []), rule]);
  }
  if (rules.size === 0) return () => undefined;
  const passes = new Map<string, number>();
  return (name) => {
    const armed = rules.get(name);
    if (!armed) return;
    const pass = (passes.get(name) ?? 0) + 1;
    passes.set(name, pass);
    for (const rule of armed) if (rule.pass === 0 || rule.pass === pass) act(name, rule);
  };
}

function act(name: string, rule: Rule): void {
  switch (rule.action) {
    case "kill":
      process.kill(process.pid, "SIGKILL");
      // The signal ends the process between two instructions; nothing behind the failpoint may run.
      for (;;) sleep(1_000);
    case "sleep":
      return sleep(rule.sleepMs);
    case "error":
      throw new IkadaError("Internal", `failpoint ${name}`);
  }
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
