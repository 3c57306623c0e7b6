import type { Command } from "commander";
import type { AnyObject } from "../../src/api/object.js";
import type { CronJob } from "../../src/api/kinds/batch.js";
import { kindNamed } from "../../src/api/registry.js";
import { IkadaError } from "../../src/base/errors.js";
import { dryRunNote, dryRunOption, type DryRun } from "../flags.js";
import { parseTargets, shortName, typed, withSession, type Session } from "../session.js";

interface JobOptions {
  readonly from?: string;
  readonly image?: string;
  readonly dryRun: DryRun;
}

const jobs = kindNamed("jobs");
const cronJobs = kindNamed("cronjobs");

/** `ikada create job NAME --from=cronjob/NAME`, or `--image IMAGE -- COMMAND`. Everything else is made from a manifest, by `apply`. */
export function addCreate(program: Command): void {
  const create = program.command("create").description("make an object without a manifest");

  create
    .command("job")
    .description("a Job: from a CronJob, as if it were due now, or of one image")
    .argument("<name>", "the Job's name")
    .argument("[command...]", "with --image, behind --: what its container runs")
    .option("--from <cronjob>", "cronjob/NAME")
    .option("--image <image>", "of its one container")
    .addOption(dryRunOption())
    .action((name: string, words: string[], options: JobOptions, command: Command) =>
      withSession(command, async (session) => {
        const { from, image, dryRun } = options;
        if ((from === undefined) === (image === undefined))
          throw new IkadaError("BadRequest", "give one of --from cronjob/NAME and --image IMAGE");
        if (from !== undefined && words.length > 0)
          throw new IkadaError("BadRequest", "a command goes with --image; with --from it is the CronJob's");
        const job =
          from === undefined ? ofImage(session, name, image ?? "", words) : await ofCronJob(session, name, from);
        const { client, signal, deadlineMs } = session;
        await client.create(job, { signal, deadlineMs, dryRun: dryRun === "server" });
        process.stdout.write(`${shortName(jobs, name)} created${dryRunNote(dryRun)}\n`);
      }),
    );
}

/** As kubectl makes it: the CronJob controls it, and an annotation says that it is none of its runs. */
async function ofCronJob(
  { client, namespace, signal, deadlineMs }: Session,
  name: string,
  from: string,
): Promise<AnyObject> {
  const [target, ...more] = parseTargets([from]);
  if (target?.kind !== cronJobs || target.name === undefined || more.length > 0)
    throw new IkadaError("BadRequest", `--from ${from}: write cronjob/NAME`);
  const cron = typed<CronJob>(await client.get(cronJobs, target.name, { namespace, signal, deadlineMs }));
  const { metadata = {}, spec } = cron.spec.jobTemplate;
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name,
      namespace,
      ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
      annotations: { ...metadata.annotations, "cronjob.kubernetes.io/instantiate": "manual" },
      ownerReferences: [
        {
          apiVersion: "batch/v1",
          kind: "CronJob",
          name: cron.metadata.name,
          uid: cron.metadata.uid ?? "",
          controller: true,
        },
      ],
    },
    spec,
  };
}

function ofImage({ namespace }: Session, name: string, image: string, command: readonly string[]): AnyObject {
  const container = { name, image, ...(command.length > 0 && { command }) };
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, namespace },
    spec: { template: { spec: { restartPolicy: "Never", containers: [container] } } },
  };
}
