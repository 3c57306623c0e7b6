import type { Command } from "commander";
import type { Explanation } from "../../sdk/index.js";
import { formatTable, harmless } from "../output.js";
import { tryEach } from "../failures.js";
import { namespaceFor, parseTargets, shortName, withSession } from "../session.js";

/** `ikada explain deployment.spec.strategy`: what a field means. `ikada explain pod/web-1`: why this one is as it is. */
export function addExplain(program: Command): void {
  program
    .command("explain")
    .description("what a kind and its fields mean; or of an object, which rules decided: pod/NAME")
    .argument("<what...>", "KIND or KIND.PATH: deployment.spec.strategy; or KIND/NAME...: pod/web-1")
    .option("--recursive", "all fields below it, without descriptions")
    .option("-o, --output <format>", "of an object: json", (format: string) => format)
    .action(
      async (
        words: string[],
        { recursive = false, output }: { readonly recursive?: boolean; readonly output?: string },
        command: Command,
      ) => {
        const [field = "", ...more] = words;
        if (!field.includes("/") && more.length === 0) {
          const { explain, findField } = await import("../explain.js");
          process.stdout.write(explain(findField(field), recursive));
          return;
        }
        await explainObjects(words, output === "json", command);
      },
    );
}

async function explainObjects(words: readonly string[], asJson: boolean, command: Command): Promise<void> {
  await withSession(command, async ({ client, namespace, signal, deadlineMs }) => {
    await tryEach(parseTargets(words), async ({ kind, name = "" }) => {
      const scope = { namespace: namespaceFor(kind, namespace), signal, deadlineMs };
      const explanation = await client.explain(kind, name, scope);
      process.stdout.write(
        asJson ? `${JSON.stringify(explanation, undefined, 2)}\n` : shown(shortName(kind, name), explanation),
      );
    });
  });
}

function shown(name: string, { verdict, tables, hints }: Explanation): string {
  const blocks = [`${name}: ${verdict}\n`];
  for (const { title, columns, rows, leftOff } of tables) {
    const more = leftOff > 0 ? `and ${leftOff} more\n` : "";
    blocks.push(`${title}:\n${formatTable([columns, ...rows].map((row) => row.map(harmless)))}${more}`);
  }
  if (hints.length > 0) blocks.push(`What helps:\n${hints.map((hint) => `  ${hint}\n`).join("")}`);
  return harmless(blocks.join("\n"));
}
