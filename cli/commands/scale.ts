import type { Command } from "commander";
import { IkadaError } from "../../src/base/errors.js";
import { tryEach } from "../failures.js";
import { parseCount } from "../flags.js";
import { fieldManagerDefault, parseTargets, shortName, withSession } from "../session.js";

/** `ikada scale deployment/web --replicas 6` */
export function addScale(program: Command): void {
  program
    .command("scale")
    .description("set how many replicas a Deployment, StatefulSet or ReplicaSet has")
    .argument("<what...>", "KIND NAME... or KIND/NAME...")
    .requiredOption("--replicas <count>", "how many", parseCount)
    .option("--current-replicas <count>", "only if it has this many now", parseCount)
    .action((words: string[], options: { replicas: number; currentReplicas?: number }, command: Command) =>
      withSession(command, async ({ client, namespace, signal, deadlineMs }) => {
        const { replicas, ...current } = options;
        await tryEach(parseTargets(words), async ({ kind, name }) => {
          if (name === undefined || !kind.hasScale)
            throw new IkadaError(
              "BadRequest",
              name === undefined ? `which ${kind.plural}?` : `${kind.plural} have no replicas to scale`,
            );
          const options = { namespace, signal, deadlineMs, fieldManager: fieldManagerDefault, ...current };
          await client.scale(kind, name, replicas, options);
          process.stdout.write(`${shortName(kind, name)} scaled\n`);
        });
      }),
    );
}
