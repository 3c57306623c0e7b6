import type { Command } from "commander";

/** `ikada explain deployment.spec.strategy` */
export function addExplain(program: Command): void {
  program
    .command("explain")
    .description("what a kind and its fields mean: types, defaults, choices")
    .argument("<field>", "KIND or KIND.PATH: deployment.spec.strategy")
    .option("--recursive", "all fields below it, without descriptions")
    .action(async (field: string, { recursive = false }: { readonly recursive?: boolean }) => {
      const { explain, findField } = await import("../explain.js");
      process.stdout.write(explain(findField(field), recursive));
    });
}
