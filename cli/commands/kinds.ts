import { Option, type Command } from "commander";
import { apiVersionOf, qualifiedPlural, type KindDefinition } from "../../src/api/kind.js";
import { kinds } from "../../src/api/registry.js";
import { formatTable } from "../output.js";

interface KindsOptions {
  readonly headers: boolean;
  readonly output?: "wide" | "name";
  readonly namespaced?: boolean;
  readonly apiGroup?: string;
}

/** `ikada api-resources`: the kinds there are. */
export function addKinds(program: Command): void {
  program
    .command("api-resources")
    .description("list the kinds of objects")
    .option("--no-headers", "no column names")
    .addOption(new Option("-o, --output <format>", "wide: what can be done with them; name").choices(["wide", "name"]))
    .addOption(
      new Option("--namespaced [true|false]", "only those in Namespaces, or only the others")
        .choices(["true", "false"])
        .preset("true")
        .argParser((text: string) => text === "true"),
    )
    .option("--api-group <group>", "only those of this group; '' for the core group")
    .action(({ headers, output, namespaced, apiGroup }: KindsOptions) => {
      const shown = kinds.filter(
        (kind) =>
          (namespaced === undefined || kind.namespaced === namespaced) &&
          (apiGroup === undefined || kind.group === apiGroup),
      );
      if (output === "name") {
        process.stdout.write(shown.map((kind) => `${qualifiedPlural(kind)}\n`).join(""));
        return;
      }
      const wide = output === "wide";
      const titles = [
        "NAME",
        "SHORTNAMES",
        "APIVERSION",
        "NAMESPACED",
        "KIND",
        ...(wide ? ["VERBS", "CATEGORIES"] : []),
      ];
      process.stdout.write(formatTable([...(headers ? [titles] : []), ...shown.map((kind) => row(kind, wide))]));
    });
}

function row(kind: KindDefinition, wide: boolean): string[] {
  const names = [kind.plural, kind.shortNames.join(","), apiVersionOf(kind), String(kind.namespaced), kind.kind];
  if (!wide) return names;
  const verbs = ["create", "get", "list", "watch", "update", "apply", "patch", "delete"];
  return [...names, [...verbs, ...(kind.hasScale ? ["scale"] : [])].join(","), kind.categories.join(",")];
}
