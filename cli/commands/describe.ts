import type { Command } from "commander";
import { kindNamed, kinds } from "../../src/api/registry.js";
import type { Event } from "../../src/api/kinds/core.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import type { AnyObject } from "../../src/api/object.js";
import { describeObject } from "../describe.js";
import { namespaceFor, parseTargets, typed, withSession, type Session, type Target } from "../session.js";

/** `ikada describe`: one object in full, with what happened to it. */
export function addDescribe(program: Command): void {
  program
    .command("describe")
    .description("show objects in full, with their events")
    .argument("<what...>", "KIND [NAME...] or KIND/NAME...")
    .action((words: string[], _options: object, command: Command) =>
      withSession(command, async (session) => {
        const targets = parseTargets(
          words,
          kinds.filter((kind) => kind.categories.includes("all")),
        );
        const texts: string[] = [];
        for (const target of targets) {
          for (const object of await objectsOf(session, target)) texts.push(await describe(session, object));
        }
        process.stdout.write(texts.length === 0 ? "No resources found.\n" : texts.join("\n\n"));
      }),
    );
}

async function objectsOf(session: Session, { kind, name }: Target): Promise<AnyObject[]> {
  const scope = {
    namespace: namespaceFor(kind, session.namespace),
    signal: session.signal,
    deadlineMs: session.deadlineMs,
  };
  if (name !== undefined) return [await session.client.get(kind, name, scope)];
  const objects: AnyObject[] = [];
  for await (const object of session.client.list(kind, scope)) objects.push(object);
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
