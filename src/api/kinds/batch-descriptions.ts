type Descriptions = Readonly<Record<string, Readonly<Record<string, string | readonly [text: string, type: string]>>>>;

/** What the fields of Job, CronJob and PriorityClass mean (field-descriptions.ts). */
export const batchDescriptions: Descriptions = {
  Job: {
    "": "Pods that run until enough of them have ended well.",
    spec: ["What is wanted.", "JobSpec"],
    status: ["How it is.", "JobStatus"],
  },
  JobSpec: {
    parallelism: "How many Pods may run at a time.",
    completions:
      "How many Pods have to succeed. Without it the Job is a work queue: done when one has succeeded and the others have ended.",
    completionMode:
      "NonIndexed, or Indexed: each completion has an index from 0, which its Pod has as a label, an annotation, in its hostname and in JOB_COMPLETION_INDEX.",
    backoffLimit: "How many failed Pods (and restarts in place) there may be before the Job fails.",
    backoffLimitPerIndex: "The same for each index by itself: an index fails, the others go on. Can't be changed.",
    maxFailedIndexes: "How many indexes may fail before the Job does; without it all others are tried to their end.",
    activeDeadlineSeconds: "Seconds from the start after which the Job fails, whatever its Pods do.",
    ttlSecondsAfterFinished: "Seconds after its end in which the Job and its Pods are kept.",
    suspend: "True: its Pods are deleted and none are made until it is false again.",
    podFailurePolicy: ["What becomes of a Pod's failure, by rules. Can't be changed.", "PodFailurePolicy"],
    successPolicy: ["When an Indexed Job is done before all of its indexes are. Can't be changed.", "SuccessPolicy"],
    podReplacementPolicy:
      "TerminatingOrFailed: a Pod that is being deleted is replaced at once. Failed: only when it has ended.",
    manualSelector: "True: the selector is the user's, and is not made by the server.",
    managedBy: "Another controller that cares for the Job in place of Ikada's. Can't be changed.",
    selector: ["Which Pods are its own; made by the server. Can't be changed.", "LabelSelector"],
    template: [
      "What its Pods are made from; restartPolicy is Never or OnFailure. Can't be changed, but for where Pods of a suspended Job may run.",
      "PodTemplate",
    ],
  },
  PodFailurePolicy: { rules: ["The first one that a failed Pod matches decides.", "PodFailureRule"] },
  PodFailureRule: {
    action:
      "FailJob: the Job fails; FailIndex: the index does; Ignore: the failure does not count; Count: it does, as without rules.",
    onExitCodes: ["Matches by the code that a container ended with.", "ExitCodes"],
    onPodConditions: ["Matches by conditions of the Pod; one is enough.", "ConditionPattern"],
  },
  ExitCodes: {
    containerName: "Only this container; without it any.",
    operator: "In: the code is one of the values; NotIn: it is none of them. 0 never matches.",
    values: "The codes, in ascending order.",
  },
  ConditionPattern: { type: "The condition's type, for example DisruptionTarget.", status: "Its status." },
  SuccessPolicy: { rules: ["One that is met is enough.", "SuccessRule"] },
  SuccessRule: {
    succeededIndexes: "Indexes that have to succeed, for example 0,2-4; with succeededCount so many of them.",
    succeededCount: "How many indexes have to succeed, of all or of succeededIndexes.",
  },
  JobStatus: {
    active: "How many Pods have neither ended nor are being deleted.",
    ready: "How many of them are ready.",
    terminating: "How many Pods are being deleted and have not ended.",
    succeeded: "How many Pods have succeeded.",
    failed: "How many Pods have failed.",
    completedIndexes: "The indexes that succeeded, for example 0,2-4.",
    failedIndexes: "The indexes that failed, with backoffLimitPerIndex.",
    uncountedTerminatedPods: [
      "Always empty in Ikada: a Pod is counted in the entry in which it is let go.",
      "UncountedPods",
    ],
    startTime: "When it was started, or last resumed.",
    completionTime: "When it was done.",
    conditions: [
      "Suspended; SuccessCriteriaMet and FailureTarget when it is about to end; Complete or Failed when it has.",
      "Condition",
    ],
  },
  UncountedPods: { succeeded: "Uids of Pods that succeeded.", failed: "Uids of Pods that failed." },

  CronJob: {
    "": "Jobs at the times of a schedule.",
    spec: ["What is wanted.", "CronJobSpec"],
    status: ["How it is.", "CronJobStatus"],
  },
  CronJobSpec: {
    schedule:
      "Five fields as in cron: minute, hour, day of the month, month, day of the week; or @hourly, @daily, @weekly, @monthly, @yearly.",
    timeZone: "Whose clocks the schedule means, by its name in the IANA database; UTC without it.",
    concurrencyPolicy:
      "Allow; Forbid: a time is passed over while a Job goes on; Replace: the Job that goes on is deleted for the new one.",
    startingDeadlineSeconds: "How many seconds late a Job may be started; without it any number.",
    suspend: "True: no Jobs are started.",
    successfulJobsHistoryLimit: "How many Jobs that succeeded are kept.",
    failedJobsHistoryLimit: "How many Jobs that failed are kept.",
    jobTemplate: ["What its Jobs are made from.", "JobTemplate"],
  },
  JobTemplate: {
    metadata: ["Labels and annotations of its Jobs.", "Metadata"],
    spec: ["What a Job is to do.", "JobSpec"],
  },
  CronJobStatus: {
    active: ["Its Jobs that go on.", "ObjectReference"],
    lastScheduleTime: "The last time of the schedule at which a Job was started.",
    lastSuccessfulTime: "When the last Job that succeeded was done.",
  },

  PriorityClass: {
    "": "A name for how much Pods matter beside others.",
    value: "Their priority: the higher, the sooner they get a place. At most 1000000000. Can't be changed.",
    globalDefault: "True: for Pods that name no class. Only one class may be that.",
    description: "What it is for, in words.",
    preemptionPolicy:
      "PreemptLowerPriority, or Never: its Pods wait in front of others but push none out. Can't be changed.",
  },
};
