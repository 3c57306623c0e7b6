import { parseArgs } from "node:util";
import { IkadaError } from "../base/errors.js";
import { failureText } from "../host/failure-text.js";
import { openFileSource } from "./file-source.js";
import { type Inspection, inspectBackup } from "./inspect.js";

// `ikada backup inspect FILE`: needs no cluster, and reads the whole file.

const usage = "usage: ikada backup inspect FILE [-o json]";

function main(args: readonly string[]): void {
  const { values, positionals } = parse(args);
  const [verb, file, ...more] = positionals;
  if (verb !== "inspect" || file === undefined || more.length > 0) throw new IkadaError("BadRequest", usage);
  if (values.output !== undefined && values.output !== "json")
    throw new IkadaError("BadRequest", `-o: json is expected, not "${values.output}"`);
  const source = openFileSource(file);
  try {
    const inspection = inspectBackup(source);
    process.stdout.write(values.output === "json" ? `${JSON.stringify(inspection, undefined, 4)}\n` : text(inspection));
  } finally {
    source.close();
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { output: { type: "string", short: "o" } },
    });
  } catch (caught) {
    throw new IkadaError("BadRequest", `${(caught as Error).message}; ${usage}`);
  }
}

function text({ about, objects, ...backup }: Inspection): string {
  const { clusterId, version, timeMs, appliedIndex, appliedTerm } = about;
  const facts = [
    ["File", `${backup.file}, ${backup.bytes} bytes, whole`],
    ["SHA-256", backup.sha256],
    ["Cluster", clusterId],
    ["Taken", `${new Date(timeMs).toISOString()} by ikada ${version}`],
    ["Applied", `entry ${appliedIndex} of term ${appliedTerm}`],
    ["Revision", `${about.objects.revision}, history from ${about.objects.compactRevision}`],
    ["etcd revision", `${about.etcd.revision}, history from ${about.etcd.compactRevision}`],
    ["Rows", `${backup.rows} in ${backup.chunks} chunks, ${backup.rowBytes} bytes`],
    ["History", `${backup.history} former versions and deletions`],
    ["etcd keys", `${backup.etcdKeys}, ${backup.leases} leases`],
    ["Clients", `${backup.clients} whose repeated writes are known`],
    ["Other keys", String(backup.others)],
  ];
  const rows = objects.map(({ kind, namespace, count, bytes }) => [
    kind,
    namespace || "-",
    String(count),
    String(bytes),
  ]);
  return `${table(facts)}\n${table([["KIND", "NAMESPACE", "COUNT", "BYTES"], ...rows])}`;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>((all, row) => row.map((cell, at) => Math.max(all[at] ?? 0, cell.length)), []);
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, at) => cell.padEnd(widths[at]! + 3))
          .join("")
          .trimEnd()}\n`,
    )
    .join("");
}

try {
  main(process.argv.slice(2));
} catch (caught) {
  process.stderr.write(failureText(caught));
  process.exitCode = IkadaError.from(caught).reason === "BadRequest" ? 2 : 1;
}
