import type { Command } from "commander";
import { kindNamed } from "../../src/api/registry.js";
import type { Event } from "../../src/api/kinds/core.js";
import { formatAge } from "../../src/api/time.js";
import { formatTable, harmless } from "../output.js";
import { typed, withSession } from "../session.js";

/** `ikada events`: what happened, oldest first. */
export function addEvents(program: Command): void {
  program
    .command("events")
    .description("what happened in the namespace, oldest first")
    .option("-A, --all-namespaces", "in every namespace")
    .option("--for <object>", "only about KIND/NAME")
    .option("--types <types>", "only Normal or Warning")
    .option("-w, --watch", "go on and print new ones")
    .option("--no-headers", "no column names")
    .action(
      (
        options: { allNamespaces?: boolean; for?: string; types?: string; watch?: boolean; headers: boolean },
        command: Command,
      ) =>
        withSession(command, async ({ client, namespace, signal, deadlineMs }) => {
          const [kind, name] = (options.for ?? "").split("/");
          const about =
            kind && name
              ? { fieldSelector: `involvedObject.kind=${kindNamed(kind).kind},involvedObject.name=${name}` }
              : {};
          const scope = { namespace: options.allNamespaces === true ? "" : namespace, ...about };
          const wanted = options.types?.split(",");
          const shown = (event: Event): boolean => wanted === undefined || wanted.includes(event.type ?? "Normal");
          const events: Event[] = [];
          for await (const object of client.list(kindNamed("events"), { ...scope, signal, deadlineMs }))
            events.push(typed<Event>(object));
          const chosen = events.filter(shown).sort((a, b) => (lastSeen(a) < lastSeen(b) ? -1 : 1));
          if (chosen.length === 0 && options.watch !== true)
            process.stderr.write(
              `No events found${options.allNamespaces === true ? "" : ` in ${namespace} namespace`}.\n`,
            );
          else
            process.stdout.write(
              formatTable([
                ...(options.headers ? [["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]] : []),
                ...chosen.map(row),
              ]),
            );
          if (options.watch !== true) return;
          try {
            for await (const event of client.watch(kindNamed("events"), { ...scope, onlyChanges: true, signal })) {
              if (event.type === "ADDED" || event.type === "MODIFIED") {
                const one = typed<Event>(event.object);
                if (shown(one)) process.stdout.write(formatTable([row(one)]));
              }
            }
          } catch (caught) {
            if (!signal.aborted) throw caught;
          }
        }),
    );
}

function row(event: Event): string[] {
  const count = event.count ?? 1;
  const age = formatAge(Date.now() - Date.parse(lastSeen(event)));
  const object = `${(event.involvedObject.kind ?? "").toLowerCase()}/${event.involvedObject.name ?? ""}`;
  return [
    count > 1 ? `${age} (x${count})` : age,
    event.type ?? "Normal",
    event.reason ?? "",
    object,
    event.message ?? "",
  ].map(harmless);
}

function lastSeen(event: Event): string {
  return event.lastTimestamp ?? event.firstTimestamp ?? event.metadata.creationTimestamp ?? "";
}
