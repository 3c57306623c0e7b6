import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import Docker from "dockerode";
import { parseArguments, runMain } from "./local/arguments.js";
import { removeContainers } from "./local/containers.js";
import { stopProcess, stopProcesses } from "./local/processes.js";

// `npm run down`: stops and removes what `npm run up` started, and nothing else.

await runMain(async () => {
  const { folder, data, node } = parseArguments();
  const idFile = join(folder, "cluster-id");
  if (!existsSync(idFile)) {
    process.stderr.write(`no cluster was started in ${folder}\n`);
    return;
  }
  const clusterId = readFileSync(idFile, "utf8").trim();
  if (node === undefined) await stopProcesses(folder);
  else await stopProcess(folder, node);
  const removed = await removeContainers(new Docker(), clusterId, node);
  process.stderr.write(
    `stopped ${node ?? "all processes"} and removed ${removed} containers of cluster ${clusterId}\n`,
  );
  if (data && node === undefined) {
    rmSync(folder, { recursive: true, force: true });
    process.stderr.write(`removed ${folder}\n`);
  }
});
