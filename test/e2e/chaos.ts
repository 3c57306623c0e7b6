import { Command } from "commander";
import { Harness } from "./harness.js";
import { killLeaders } from "./leader-kills.js";

// npm run chaos -- --kills N: real servers, kill -9 of the leader, nothing may be lost or doubled.

const options = new Command()
  .option("--kills <count>", "how many leaders to kill", "20")
  .option("--servers <count>", "3 or 5", "3")
  .parse()
  .opts<{ kills: string; servers: string }>();
const harness = await Harness.start({ servers: Number(options.servers), agents: 0, runtime: "fake" });
try {
  const report = await killLeaders(harness, Number(options.kills), (line) => console.log(line));
  const gaps = [...report.gapsMs].sort((a, b) => a - b);
  console.log(`${report.kills} leaders killed, ${report.acknowledged} writes acknowledged`);
  console.log(
    `write unavailability: median ${Math.round(gaps[Math.floor(gaps.length / 2)]!)} ms, maximum ${Math.round(gaps.at(-1)!)} ms`,
  );
  console.log(`${report.lost.length} lost, ${report.doubled.length} doubled`);
  for (const line of [...report.lost, ...report.doubled].slice(0, 20)) console.log(`  ${line}`);
  if (report.lost.length + report.doubled.length > 0) process.exitCode = 1;
} finally {
  await harness.close();
}
