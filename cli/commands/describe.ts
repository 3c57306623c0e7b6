import type { Command } from "commander";
import { kindNamed } from "../../src/api/registry.js";
import type { Event } from "../../src/api/kinds/core.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import type { AnyObject } from "../../src/api/object.js";
import { describeObject } from "../describe.js";
import { tryEach } from "../failures.js";
import { namespaceFor, parseTargets, typed, withSession, type Session, type Target } from "../session.js";

interface DescribeOptions {
  readonly allNamespaces?: boolean;
  readonly selector?: string;
}

/** `ikada describe`: one object in full, with what happened to it. */
export function addDescribe(program: Command): void {
  program
    .command("describe")
    .description("show objects in full, with their events")
    .argument("<what...>", "KIND [NAME...] or KIND/NAME...")
    .option("-A, --all-namespaces", "of every namespace")
    .option("-l, --selector <labels>", "only objects with these labels")
    .action((words: string[], options: DescribeOptions, command: Command) =>
      withSession(command, async (session) => {
        const targets = parseTargets(words);
        let shown = 0;
        await tryEach(targets, async (target) => {
          for (const object of await objectsOf(session, target, options)) {
            process.stdout.write(`${shown === 0 ? "" : "\n\n"}${await describe(session, object)}`);
            shown += 1;
          }
        });
        if (shown === 0) process.stderr.write("No resources found.\n");
      }),
    );
}

async function objectsOf(session: Session, { kind, name }: Target, options: DescribeOptions): Promise<AnyObject[]> {
  const everywhere = options.allNamespaces === true && name === undefined;
  const scope = {
    namespace: everywhere ? "" : namespaceFor(kind, session.namespace),
    signal: session.signal,
    deadlineMs: session.deadlineMs,
  };
  if (name !== undefined) return [await session.client.get(kind, name, scope)];
  const objects: AnyObject[] = [];
  const labelSelector = options.selector ?? "";
  for await (const object of session.client.list(kind, { ...scope, labelSelector })) objects.push(object);
  return objects;
}

async function describe(session: Session, object: AnyObject): Promise<string> {
  const { client, signal, deadlineMs } = session;
  const { name, namespace, uid } = object.metadata;
  const events: Event[] = [];
  const about = `involvedObject.kind=${object.kind},involvedObject.name=${name}`;
  for await (const event of client.list(kindNamed("events"), {
    namespace: namespace ?? "",
    fieldSelector: about,
    signal,
    deadlineMs,
  })) {
    const involved = typed<Event>(event).involvedObject;
    if (involved.uid === undefined || involved.uid === uid) events.push(typed<Event>(event));
  }
  const pods: Pod[] = [];
  if (object.kind === "Node") {
    for await (const pod of client.list(kindNamed("pods"), {
      namespace: "",
      fieldSelector: `spec.nodeName=${name}`,
      signal,
      deadlineMs,
    }))
      pods.push(typed<Pod>(pod));
  }
  return describeObject(object, { events, pods, now: Date.now() });
}
