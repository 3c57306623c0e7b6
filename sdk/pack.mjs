// Packs the client library alone: what sdk/index.ts reaches and nothing else, with two dependencies.
//   node sdk/pack.mjs [folder]     (after a build) writes ikada-<version>.tgz there and prints its path
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const allowed = ["@grpc/grpc-js", "protobufjs"];
const entry = "dist/sdk/index.js";

/** Every module that `entry` reaches. A package that is not allowed is an error that names who imports it. */
function reach(entry) {
  const files = new Set();
  const queue = [entry, entry.replace(/\.js$/, ".d.ts")];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (files.has(file)) continue;
    if (!existsSync(join(root, file))) throw new Error(`${file} is missing: run npm run build first`);
    files.add(file);
    for (const specifier of importsOf(file)) {
      const target = targetOf(file, specifier);
      if (!target) continue;
      queue.push(target);
      const types = target.replace(/\.js$/, ".d.ts");
      if (target.endsWith(".js") && existsSync(join(root, types))) queue.push(types);
    }
  }
  return [...files];
}

function importsOf(file) {
  // Examples in comments import too.
  const text = readFileSync(join(root, file), "utf8").replaceAll(/\/\*[\s\S]*?\*\//g, "");
  return [...text.matchAll(/(?:from|import|require)\s*\(?\s*"([^"\n]+)"/g)].map((match) => match[1]);
}

/** A file of ours, or undefined for Node's own modules and allowed packages. */
function targetOf(file, specifier) {
  if (specifier.startsWith("#proto/")) return specifier.replace("#proto/", "proto/gen/");
  if (specifier.startsWith(".")) {
    const target = join(dirname(file), specifier);
    return file.endsWith(".d.ts") ? target.replace(/\.js$/, ".d.ts") : target;
  }
  // The generated types name the class that protobufjs brings for 64-bit integers.
  const isType = file.endsWith(".d.ts") && specifier === "long";
  const isKnown = allowed.some((name) => specifier === name || specifier.startsWith(`${name}/`));
  if (specifier.startsWith("node:") || isKnown || isType) return undefined;
  throw new Error(`${file} imports "${specifier}", which is not a dependency of the SDK (${allowed.join(", ")})`);
}

function pack(destination) {
  const staging = mkdtempSync(join(tmpdir(), "ikada-sdk-"));
  try {
    for (const file of reach(entry)) {
      mkdirSync(join(staging, dirname(file)), { recursive: true });
      copyFileSync(join(root, file), join(staging, file));
    }
    for (const file of ["LICENSE", "README.md"]) {
      if (existsSync(join(root, file))) copyFileSync(join(root, file), join(staging, file));
    }
    const { name, version, license, type, imports, exports, engines } = manifest;
    const dependencies = Object.fromEntries(allowed.map((each) => [each, manifest.dependencies[each]]));
    const description = "Client library of the Ikada container control plane.";
    const packed = { name, version, description, license, type, imports, exports, engines, dependencies };
    writeFileSync(join(staging, "package.json"), `${JSON.stringify(packed, undefined, 2)}\n`);
    mkdirSync(destination, { recursive: true });
    const run = spawnSync("npm", ["pack", "--silent", "--pack-destination", destination], {
      cwd: staging,
      encoding: "utf8",
    });
    if (run.status !== 0) throw new Error(`npm pack failed: ${run.stderr}`);
    return join(destination, run.stdout.trim().split("\n").at(-1));
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

const tarball = pack(resolve(process.argv[2] ?? join(root, "dist", "packed")));
process.stdout.write(`${relative(process.cwd(), tarball) || tarball}\n`);
