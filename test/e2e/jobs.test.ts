import assert from "node:assert/strict";
import { ensureBusyboxImage } from "../../deploy/local/busybox-image.js";
import type { Job, JobSpec } from "../../sdk/index.js";
import { Harness } from "./harness.js";

const image = "ikada-test/e2e:1";
const namespace = "default";

/** Real servers, a real agent, a real engine. */
describe("Jobs in a cluster", () => {
  let cluster: Harness;

  before(async function () {
    this.timeout(300_000);
    cluster = await Harness.start({ servers: 3, agents: 1, runtime: "docker" });
    await ensureBusyboxImage(cluster.docker, image);
    await cluster.eventually("a node", async () => (await cluster.list("nodes")).length === 1);
  });

  after(async function () {
    this.timeout(300_000);
    await cluster?.close();
  });

  afterEach(function () {
    if (this.currentTest?.state === "failed") process.stderr.write(cluster.logs());
  });

  const template = (command: string): JobSpec["template"] => ({
    spec: { restartPolicy: "Never", containers: [{ name: "main", image, command: ["sh", "-c", command] }] },
  });
  const jobNamed = (name: string): Promise<Job> => cluster.client.jobs.get(name, { namespace });
  const wait = (what: string, condition: string) =>
    cluster.ikada("wait", what, `--for=condition=${condition}`, "--timeout", "240s");

  it("three completions, each with its index, though one Pod fails and the leader is killed", async function () {
    this.timeout(600_000);
    // The second index fails at first: a file in its Pod can't outlive it, so the count of failures tells the tries apart.
    const command = `echo "index $JOB_COMPLETION_INDEX on $(hostname)"; [ "$JOB_COMPLETION_INDEX" != 1 ] || [ "$TRIES" != 0 ]`;
    const fieldPath = "metadata.annotations['batch.kubernetes.io/job-index-failure-count']";
    const { spec } = template(command);
    const containers = spec.containers.map((one) => ({
      ...one,
      env: [{ name: "TRIES", valueFrom: { fieldRef: { fieldPath } } }],
    }));
    await cluster.client.jobs.create({
      metadata: { name: "squares", namespace },
      spec: {
        completions: 3,
        parallelism: 2,
        completionMode: "Indexed",
        backoffLimitPerIndex: 2,
        template: { spec: { ...spec, containers } },
      },
    });
    await cluster.eventually(
      "the failure",
      async () => ((await jobNamed("squares")).status?.completedIndexes ?? "") !== "",
    );
    await cluster.kill((await cluster.leaderName()) ?? "");
    const waited = await wait("job/squares", "Complete");
    assert.equal(waited.code, 0, waited.stderr);
    const { status } = await jobNamed("squares");
    assert.deepEqual(
      [status?.succeeded, status?.failed, status?.completedIndexes, status?.failedIndexes, status?.active],
      [3, 1, "0-2", "", 0],
    );
    const pods = cluster.client.pods.list({ namespace, labelSelector: "job-name=squares" });
    const phases: string[] = [];
    for await (const pod of pods) {
      assert.deepEqual(pod.metadata.finalizers ?? [], []);
      phases.push(pod.status?.phase ?? "");
    }
    assert.deepEqual(phases.sort(), ["Failed", "Succeeded", "Succeeded", "Succeeded"]);
    const logs = await cluster.ikada("logs", "-l", "batch.kubernetes.io/job-completion-index=2");
    assert.match(logs.stdout, /index 2 on squares-2/);
    assert.match((await cluster.ikada("get", "jobs")).stdout, /squares +Complete +3\/3/);
    assert.match((await cluster.ikada("describe", "job", "squares")).stdout, /3 succeeded \/ 1 failed/);
    assert.equal((await cluster.ikada("delete", "job", "squares")).code, 0);
    await cluster.eventually("its Pods gone", async () => (await cluster.list("pods", { namespace })).length === 0);
  });

  it("a Job from a CronJob by hand, and one that fails", async function () {
    this.timeout(600_000);
    await cluster.client.cronJobs.create({
      metadata: { name: "tidy", namespace },
      spec: {
        schedule: "0 0 1 1 *",
        timeZone: "Europe/Berlin",
        jobTemplate: { spec: { backoffLimit: 0, ttlSecondsAfterFinished: 1, template: template("echo tidied") } },
      },
    });
    const created = await cluster.ikada("create", "job", "by-hand", "--from=cronjob/tidy");
    assert.equal(created.stdout, "job.batch/by-hand created\n", created.stderr);
    const waited = await wait("job/by-hand", "Complete");
    // It may be gone already: it has a second to live after its end.
    assert(waited.code === 0 || /deleted while it was waited for|not found/.test(waited.stderr), waited.stderr);
    await cluster.eventually(
      "the end of its time",
      async () => (await cluster.list("jobs", { namespace })).length === 0,
    );
    await cluster.eventually("the last success", async () => {
      const { status } = await cluster.client.cronJobs.get("tidy", { namespace });
      return status?.lastSuccessfulTime !== undefined && status.active === undefined;
    });
    await cluster.client.jobs.create({
      metadata: { name: "broken", namespace },
      spec: { backoffLimit: 0, template: template("exit 3") },
    });
    const failed = await wait("job/broken", "Failed");
    assert.equal(failed.code, 0, failed.stderr);
    const { status } = await jobNamed("broken");
    assert.deepEqual([status?.failed, status?.conditions?.at(-1)?.reason], [1, "BackoffLimitExceeded"]);
    assert.match((await cluster.ikada("events")).stdout, /BackoffLimitExceeded/);
    const refused = await cluster.ikada("create", "job", "x", "--from=cronjob/none");
    assert.match(refused.stderr, /cronjobs.batch "none" not found/);
  });
});
