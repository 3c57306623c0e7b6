import type { Command } from "commander";
import { apiVersionOf } from "../../src/api/kind.js";
import { kinds } from "../../src/api/registry.js";
import { formatTable } from "../output.js";

/** `ikada api-resources`: the kinds there are. */
export function addKinds(program: Command): void {
  program
    .command("api-resources")
    .description("list the kinds of objects")
    .option("--no-headers", "no column names")
    .action((options: { headers: boolean }) => {
      const rows = kinds.map((kind) => [
        kind.plural,
        kind.shortNames.join(","),
        apiVersionOf(kind),
        String(kind.namespaced),
        kind.kind,
      ]);
      process.stdout.write(
        formatTable([
          ...(options.headers ? [["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]] : []),
          ...rows,
        ]),
      );
    });
}
