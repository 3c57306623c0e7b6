// Compiles every .proto file in this folder to an ES module with types in gen/, when it is newer.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = dirname(fileURLToPath(import.meta.url));
const out = join(folder, "gen");
const pbjs = join(folder, "..", "node_modules", "protobufjs-cli", "bin", "pbjs");
mkdirSync(out, { recursive: true });

for (const file of readdirSync(folder).filter((name) => name.endsWith(".proto"))) {
  const source = join(folder, file);
  const name = file.slice(0, -".proto".length);
  const target = join(out, `${name}.js`);
  const newest = Math.max(statSync(source).mtimeMs, statSync(fileURLToPath(import.meta.url)).mtimeMs);
  if (existsSync(target) && statSync(target).mtimeMs > newest) continue;
  const flags = ["-t", "static-module", "-w", "esm", "--dts", "--force-number", "--no-verify", "--no-delimited"];
  const run = spawnSync(process.execPath, [pbjs, ...flags, "-r", `ikada-${name}`, "-o", target, source], {
    stdio: "inherit",
  });
  if (run.status !== 0) process.exit(run.status ?? 1);
  writeFileSync(target, numbersForLongs(readFileSync(target, "utf8"), target));
}

// With a Long class in reach protobufjs decodes 64-bit integers to objects although the types say
// number. All our 64-bit fields stay below 2^53, which test/house checks.
function numbersForLongs(text, target) {
  const line = text
    .split("\n")
    .find((candidate) => candidate.startsWith("import ") && candidate.includes("protobufjs"));
  const name = line && /import (?:\* as )?(\S+) from/.exec(line)?.[1];
  if (!name) throw new Error(`${target}: no protobufjs import found`);
  return text.replace(line, `${line}\n${name}.util.Long = undefined;\n${name}.configure();`);
}
