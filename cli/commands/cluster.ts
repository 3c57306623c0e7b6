import type { Command } from "commander";
import { IkadaError } from "../../src/base/errors.js";
import { formatTable } from "../output.js";
import { withSession } from "../session.js";

/** `ikada cluster status | transfer` */
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
            member.reachable ? member.role || "Unknown" : "Unreachable",
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
    .description("hand leadership to another server")
    .argument("<id>", "its ID in `cluster status`")
    .action((id: string, _options: object, command: Command) =>
      withSession(command, async ({ client, signal, deadlineMs }) => {
        if (!/^[1-9]\d{0,3}$/.test(id)) throw new IkadaError("BadRequest", `"${id}" is no server id`);
        await client.transferLeadership(Number(id), { signal, deadlineMs });
        process.stdout.write(`leadership is being handed to server ${id}\n`);
      }),
    );
}
