import type { Command } from "commander";
import { formatTable } from "../output.js";
import { withSession } from "../session.js";
import { addClusterBackup } from "./cluster-backup.js";
import { addMemberCommands, serverNamed } from "./cluster-members.js";

/** `ikada cluster status | transfer`, what changes the members, and `backup` */
export function addCluster(program: Command): void {
  const cluster = program.command("cluster").description("the servers and their leader");

  cluster
    .command("status")
    .description("members, leader, term and how far each log is")
    .action((_options: object, command: Command) =>
      withSession(command, async ({ client, signal, deadlineMs }) => {
        const status = await client.clusterStatus({ signal, deadlineMs });
        const rows = status.members.map((member) => {
          const known = (value: number): string => (member.reachable ? String(value) : "-");
          return [
            String(member.id),
            member.name,
            member.apiAddress,
            !member.reachable ? "Unreachable" : member.membership === "Learner" ? "Learner" : member.role || "Unknown",
            known(member.term),
            known(member.lastIndex),
            known(member.commit),
            known(member.applied),
            known(member.revision),
            member.reachable ? member.version : "-",
          ];
        });
        const leader = status.members.find((member) => member.id === status.leader);
        process.stdout.write(`Cluster ${status.clusterId}, term ${status.term}, leader ${leader?.name ?? "<none>"}\n`);
        process.stdout.write(
          formatTable([
            ["ID", "NAME", "ADDRESS", "ROLE", "TERM", "LOG", "COMMIT", "APPLIED", "REVISION", "VERSION"],
            ...rows,
          ]),
        );
      }),
    );

  cluster
    .command("transfer")
    .description("hand leadership to another server, by default the one whose log is longest")
    .argument("[server]", "its ID or NAME in `cluster members`")
    .action((word: string | undefined, _options: object, command: Command) =>
      withSession(command, async ({ client, signal, deadlineMs }) => {
        const to = word === undefined ? undefined : await serverNamed(client, word);
        await client.cluster.transfer(to, { signal, deadlineMs });
        const leader = (await client.cluster.members({ signal, deadlineMs })).find(({ leads }) => leads);
        process.stdout.write(`${leader ? `server ${leader.id} (${leader.name})` : "another server"} leads\n`);
      }),
    );

  addMemberCommands(cluster);
  addClusterBackup(cluster);
}
