import type { Command } from "commander";
import { kindNamed } from "../../src/api/registry.js";
import type { Event } from "../../src/api/kinds/core.js";
import { IkadaError } from "../../src/base/errors.js";
import { formatAge } from "../../src/api/time.js";
import { formatTable, harmless } from "../output.js";
import { parseTargets, typed, withSession } from "../session.js";

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
          const about = options.for === undefined ? {} : { fieldSelector: eventsOf(options.for) };
          const scope = { namespace: options.allNamespaces === true ? "" : namespace, ...about };
          const wanted = options.types?.toLowerCase().split(",");
          const shown = (event: Event): boolean =>
            wanted === undefined || wanted.includes((event.type ?? "Normal").toLowerCase());
          const withNamespace = options.allNamespaces === true;
          const names = [...(withNamespace ? ["NAMESPACE"] : []), "LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"];
          const widths: number[] = [];
          let headers = options.headers ? [names] : [];
          const print = (events: readonly Event[]): void => {
            const chosen = events.filter(shown).sort((a, b) => (lastSeen(a) < lastSeen(b) ? -1 : 1));
            if (chosen.length === 0) return;
            process.stdout.write(
              formatTable([...headers, ...chosen.map((event) => row(event, withNamespace))], widths),
            );
            headers = [];
          };
          const events: Event[] = [];
          if (options.watch !== true) {
            for await (const object of client.list(kindNamed("events"), { ...scope, signal, deadlineMs }))
              events.push(typed<Event>(object));
            print(events);
            if (!events.some(shown))
              process.stderr.write(`No events found${withNamespace ? "" : ` in ${namespace} namespace`}.\n`);
            return;
          }
          let complete = false;
          try {
            for await (const event of client.watch(kindNamed("events"), { ...scope, signal })) {
              if (event.type === "BOOKMARK") {
                complete = true;
                print(events.splice(0));
              } else if (event.type !== "DELETED") {
                if (complete) print([typed<Event>(event.object)]);
                else events.push(typed<Event>(event.object));
              }
            }
          } catch (caught) {
            if (!signal.aborted) throw caught;
          }
        }),
    );
}

/** `pod/web-1` as a field selector. */
function eventsOf(word: string): string {
  const [target, more] = parseTargets([word]);
  if (target?.name === undefined || more) throw new IkadaError("BadRequest", `--for "${word}": write KIND/NAME`);
  return `involvedObject.kind=${target.kind.kind},involvedObject.name=${target.name}`;
}

function row(event: Event, withNamespace: boolean): string[] {
  const count = event.count ?? 1;
  const age = formatAge(Date.now() - Date.parse(lastSeen(event)));
  const object = `${(event.involvedObject.kind ?? "").toLowerCase()}/${event.involvedObject.name ?? ""}`;
  return [
    ...(withNamespace ? [event.metadata.namespace ?? ""] : []),
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
