import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { IkadaError } from "../../src/base/errors.js";
import { failureText } from "../../src/host/failure-text.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");
const portBaseDefault = 7400;

/** What `npm run up` and `npm run down` were asked for. */
export interface Arguments {
  readonly portBase: number;
  /** Logs and data of this cluster; one folder for each port base. */
  readonly folder: string;
  readonly servers: number;
  readonly agents: number;
  /** up only: the backup that the cluster begins with. */
  readonly restore: string | undefined;
  /** down only: forget the data too. */
  readonly data: boolean;
  /** down only: this agent alone. */
  readonly node: string | undefined;
}

/** @throws IkadaError BadRequest */
export function parseArguments(): Arguments {
  const command = new Command()
    .option("--port-base <number>", "first of 70 ports", String(portBaseDefault))
    .option("--servers <count>", "1, 3 or 5", "3")
    .option("--agents <count>", "1 to 9", "2")
    .option("--restore <file>", "begin with what is in this backup")
    .option("--data", "forget the data too")
    .option("--node <name>", "this agent alone")
    .parse();
  const options = command.opts<{
    portBase: string;
    servers: string;
    agents: string;
    restore?: string;
    data?: boolean;
    node?: string;
  }>();
  const portBase = between("--port-base", options.portBase, 1024, 65_000);
  const servers = between("--servers", options.servers, 1, 5);
  if (servers % 2 === 0)
    throw new IkadaError(
      "BadRequest",
      `--servers: ${servers} servers stand no more failures than ${servers - 1}; use an odd number`,
    );
  return {
    portBase,
    folder: join(root, portBase === portBaseDefault ? ".ikada" : `.ikada-${portBase}`),
    servers,
    agents: between("--agents", options.agents, 1, 9),
    restore: options.restore,
    data: options.data ?? false,
    node: options.node,
  };
}

function between(flag: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most)
    throw new IkadaError("BadRequest", `${flag}: a number from ${least} to ${most} is expected, not "${text}"`);
  return value;
}

/** Prints what went wrong as the CLI does, and sets the exit code. */
export async function runMain(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (caught) {
    process.stderr.write(failureText(caught));
    process.exitCode = 1;
  }
}
