import { randomInt } from "node:crypto";
import { Command } from "commander";
import { runFuzz, type FuzzReport } from "./run.js";

// npm run fuzz -- --requests N: fuzzed requests and manifests against real servers; docs/fuzzing.md.

const command = new Command("fuzz")
  .option("--requests <count>", "how many requests and manifests together", "100000")
  .option("--seed <number>", "makes the same requests again", String(randomInt(2 ** 31)))
  .option("--from <number>", "the first number, to go on where a run has ended or to send one request again", "0")
  .option("--minutes <count>", "ends after this time, whatever was sent by then")
  .option("--lanes <count>", "requests in flight at once", "48")
  .parse();
const options = command.opts<{ requests: string; seed: string; from: string; lanes: string; minutes?: string }>();

const report = await runFuzz({
  requests: number("requests", options.requests),
  seed: number("seed", options.seed),
  from: number("from", options.from),
  lanes: number("lanes", options.lanes),
  ...(options.minutes !== undefined && { minutes: number("minutes", options.minutes) }),
  tell: (line) => console.log(line),
});
tell(report);
process.exit(report.findings.length > 0 ? 1 : 0);

function tell(report: FuzzReport): void {
  const { requests, manifests, seconds, findings, answers, health, objects, logsFolder } = report;
  for (const [method, counts] of [...answers].sort(([left], [right]) => (left < right ? -1 : 1))) {
    const parts = [...counts].sort((left, right) => right[1] - left[1]).map(([name, count]) => `${name} ${count}`);
    console.log(`${method}: ${parts.join(", ")}`);
  }
  for (const [server, { first, most }] of health.memory)
    console.log(`${server}: ${first} MB of memory, ${most} at most`);
  for (const [server, { pings, answerMsMax, heldMsMax }] of health.lags)
    console.log(
      `${server}: consensus thread pinged ${pings} times, held up for ${heldMsMax.toFixed(1)} ms at most, answered within ${answerMsMax.toFixed(1)} ms`,
    );
  console.log(`${objects} objects in the end, the same on all servers; term ${health.term}`);
  for (const { fault, number: at, request, times } of findings) {
    console.log(`finding: ${fault} (${times} times)`);
    if (at !== undefined) console.log(`  again: npm run fuzz -- --seed ${options.seed} --from ${at} --requests 1`);
    if (request !== undefined) console.log(`  smallest: ${request}`);
  }
  if (logsFolder !== undefined) console.log(`logs of the servers: ${logsFolder}`);
  const total = requests + manifests;
  console.log(
    `seed ${options.seed}: ${total} sent (${requests} requests, ${manifests} manifests) in ${Math.round(seconds)} s, ${Math.round(total / seconds)} per second, ${findings.length} findings`,
  );
}

function number(name: string, text: string): number {
  const value = Number(text);
  if (value >= 0) return value;
  console.error(`--${name} ${text} makes no sense`);
  return process.exit(2);
}
