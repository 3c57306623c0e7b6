import { Command } from "commander";
import { runToEnd } from "../e2e/run-to-end.js";
import { IkadaError } from "../../sdk/index.js";
import { OwnEngine } from "../e2e/own-engine.js";
import { runDrills } from "./run.js";

// npm run drills: Pods on a real engine while agent, engine, servers, disks and containers are taken away; docs/chaos.md.

const command = new Command("drills")
  .option("--drill <names>", "which ones, with commas between; all by default. docs/chaos.md lists them")
  .option("--times <count>", "rounds of each; by default each drill's own number")
  .option("--pods <count>", "how many Pods", "20")
  .option("--away-seconds <seconds>", "how long what is taken away stays away; by default each drill's own time")
  .parse();
const options = command.opts<{ drill?: string; times?: string; pods: string; awaySeconds?: string }>();

await runToEnd(main);

async function main(signal: AbortSignal): Promise<void> {
  const missing = OwnEngine.whatIsMissing();
  if (missing !== undefined) throw new IkadaError("BadRequest", missing, { hint: "run it as root" });
  const awaySeconds = numberOf("away-seconds", options.awaySeconds);
  const rows = await runDrills({
    pods: numberOf("pods", options.pods) ?? 20,
    times: numberOf("times", options.times),
    awayMs: awaySeconds === undefined ? undefined : awaySeconds * 1000,
    tell: (line) => console.log(line),
    signal,
    ...(options.drill !== undefined && { names: options.drill.split(",") }),
  });
  const wrong = rows.filter((row) => row.wrong.length > 0);
  console.log(`${rows.length - wrong.length} drills passed, ${wrong.length} failed`);
  if (wrong.length > 0) process.exitCode = 1;
}

/** @throws IkadaError BadRequest */
function numberOf(name: string, given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  const value = Number(given);
  if (Number.isInteger(value) && value > 0) return value;
  throw new IkadaError("BadRequest", `--${name} ${given} is not a whole number above 0`);
}
