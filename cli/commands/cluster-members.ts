import type { Command } from "commander";
import type { ChangeOptions, Client, Server } from "../../sdk/index.js";
import { IkadaError } from "../../src/base/errors.js";
import { parseCount, timeoutOption } from "../flags.js";
import { formatTable } from "../output.js";
import { withSession } from "../session.js";

interface Force {
  readonly force?: boolean;
  readonly timeout: number;
}

type Addresses = Partial<Record<"host" | Listener, string>>;
type Listener = (typeof listeners)[number];
const listeners = ["api", "agents", "replicas", "raft"] as const;

/** `ikada cluster members | add | promote | demote | remove | replace` */
export function addMemberCommands(cluster: Command): void {
  cluster
    .command("members")
    .description("who votes, who only receives, where each is reached, and which ids are used up")
    .action((_options: object, command: Command) =>
      withSession(command, async ({ client, signal, deadlineMs }) => {
        const members = await client.cluster.members({ signal, deadlineMs });
        const rows = members.map((member) => [
          String(member.id),
          member.name,
          member.leads ? "Leader" : member.membership,
          member.behind === undefined || member.membership === "Removed" ? "-" : String(member.behind),
          member.api,
          member.agents,
          member.replicas,
          member.raft,
        ]);
        const titles = ["ID", "NAME", "MEMBERSHIP", "BEHIND", "API", "AGENTS", "REPLICAS", "RAFT"];
        process.stdout.write(formatTable([titles, ...rows]));
      }),
    );

  addressOptions(
    cluster.command("add").description("bring in a new server, which receives the log and does not vote yet"),
  )
    .argument("<name>", "the name in its certificate")
    .requiredOption("--id <id>", "its id, never one that was in use", parseCount)
    .action((name: string, options: Addresses & { readonly id: number }, command: Command) =>
      withSession(command, async ({ client, signal, deadlineMs }) => {
        await client.cluster.add(await newServer(client, name, options), { signal, deadlineMs });
        process.stdout.write(
          `server ${options.id} (${name}) is a learner; let it vote: ikada cluster promote ${name}\n`,
        );
      }),
    );

  change(cluster, "promote", "let a learner vote, as soon as it is caught up", "5m", (client, id, options) =>
    client.cluster.promote(id, options),
  );
  change(cluster, "demote", "make a voting server a learner", "30s", (client, id, options) =>
    client.cluster.demote(id, options),
  );
  change(cluster, "remove", "take a server out for good; its id is never used again", "30s", (client, id, options) =>
    client.cluster.remove(id, options),
  );

  addressOptions(cluster.command("replace").description("let a new server take the place of another, in one step"))
    .argument("<old>", "ID or NAME of the one that goes")
    .argument("<name>", "the name in the new one's certificate")
    .requiredOption("--id <id>", "the new one's id, never one that was in use", parseCount)
    .option("--force", "also when too few of the voting servers were heard from lately")
    .addOption(timeoutOption("5m"))
    .action((old: string, name: string, options: Addresses & Force & { readonly id: number }, command: Command) =>
      withSession(command, async ({ client, signal }) => {
        const server = await newServer(client, name, options);
        const { force = false, timeout } = options;
        await client.cluster.replace(await serverNamed(client, old), server, { force, deadlineMs: timeout, signal });
        process.stdout.write(`server ${server.id} (${name}) votes in the place of ${old}\n`);
      }),
    );
}

const outcomes = { promote: "votes", demote: "is a learner", remove: "is removed" } as const;

function change(
  cluster: Command,
  verb: keyof typeof outcomes,
  description: string,
  timeout: string,
  run: (client: Client, id: number, options: ChangeOptions) => Promise<void>,
): void {
  cluster
    .command(verb)
    .description(description)
    .argument("<server>", "its ID or NAME in `cluster members`")
    .option("--force", "also when too few of the voting servers were heard from lately")
    .addOption(timeoutOption(timeout))
    .action((word: string, { force = false, timeout: deadlineMs }: Force, command: Command) =>
      withSession(command, async ({ client, signal }) => {
        const id = await serverNamed(client, word);
        await run(client, id, { force, deadlineMs, signal });
        process.stdout.write(`server ${word} ${outcomes[verb]}\n`);
      }),
    );
}

function addressOptions(command: Command): Command {
  command.option("--host <host>", "where it is reached, with the ports that the other servers use");
  for (const listener of listeners) command.option(`--${listener} <host:port>`, `address of its ${listener} listener`);
  return command;
}

/** Addresses that were not given are `--host` with the ports of a server that is there. */
async function newServer(client: Client, name: string, options: Addresses & { readonly id: number }): Promise<Server> {
  const [other] = listeners.every((listener) => options[listener]) ? [] : await client.cluster.members();
  const address = (listener: Listener): string => {
    const given = options[listener];
    if (given !== undefined) return given;
    const port = other?.[listener].slice(other[listener].lastIndexOf(":") + 1);
    if (options.host !== undefined && port) return `${options.host}:${port}`;
    throw new IkadaError("BadRequest", `where is the new server reached? Give --host, or --${listener}`);
  };
  return {
    id: options.id,
    name,
    api: address("api"),
    agents: address("agents"),
    replicas: address("replicas"),
    raft: address("raft"),
  };
}

/** The id of a server named by id or name. @throws IkadaError NotFound */
export async function serverNamed(client: Client, word: string): Promise<number> {
  if (/^[1-9]\d{0,3}$/.test(word)) return Number(word);
  const members = await client.cluster.members();
  // A name may be used again; ids are not.
  const found = members.find(({ name, membership }) => name === word && membership !== "Removed");
  const id = (found ?? members.find(({ name }) => name === word))?.id;
  if (id !== undefined) return id;
  throw new IkadaError("NotFound", `there is no server "${word}"`, {
    hint: `servers are ${members.map((member) => `${member.id} (${member.name})`).join(", ")}`,
  });
}
