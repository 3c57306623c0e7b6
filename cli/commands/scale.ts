import type { Command } from "commander";
import { IkadaError } from "../../src/base/errors.js";
import { parseTargets, shortName, withSession } from "../session.js";

/** `ikada scale deployment/web --replicas 6` */
export function addScale(program: Command): void {
  program
    .command("scale")
    .description("set how many replicas a Deployment or ReplicaSet has")
    .argument("<what...>", "KIND NAME... or KIND/NAME...")
    .requiredOption("--replicas <count>", "how many")
    .option("--current-replicas <count>", "only if it has this many now")
    .action((words: string[], options: { replicas: string; currentReplicas?: string }, command: Command) =>
      withSession(command, async ({ client, namespace, signal, deadlineMs }) => {
        const replicas = count(options.replicas, "--replicas");
        const current =
          options.currentReplicas === undefined
            ? {}
            : { currentReplicas: count(options.currentReplicas, "--current-replicas") };
        for (const { kind, name } of parseTargets(words, [])) {
          if (name === undefined || !kind.hasScale)
            throw new IkadaError(
              "BadRequest",
              name === undefined ? `which ${kind.plural}?` : `${kind.plural} have no replicas to scale`,
            );
          await client.scale(kind, name, replicas, { namespace, signal, deadlineMs, ...current });
          process.stdout.write(`${shortName(kind, name)} scaled\n`);
        }
      }),
    );
}

function count(text: string, flag: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new IkadaError("BadRequest", `${flag}: "${text}" is no count`);
  return Number(text);
}
