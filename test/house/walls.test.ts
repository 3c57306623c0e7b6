import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

// `tsc -b` stops imports against the arrows; this holds what the compiler cannot say, and checks that the
// compiler's list itself is what ARCHITECTURE.md promises.

const tracked = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { encoding: "utf8" })
  .split("\n")
  .filter((file) => file !== "" && existsSync(file));
const sources = tracked.filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"));

/** Folders whose code decides: no Node types there. */
const pure = [
  "raft/core",
  "raft",
  "store",
  "src/base",
  "src/api",
  "src/objects",
  "src/controllers",
  "src/scheduler",
  "node-agent/core",
];

/** What each project may reference; test and bench may reference anything. */
const arrows: Record<string, readonly string[]> = {
  "raft/core": [],
  "src/base": [],
  raft: ["raft/core", "src/base"],
  "raft/worker": ["raft/core", "raft", "src/base", "src/host"],
  store: ["src/base", "raft/core", "raft"],
  "store/rocks": ["store", "src/base"],
  "src/host": ["src/base"],
  "src/api": ["src/base"],
  "src/objects": ["src/base", "src/api", "store"],
  "src/controllers": ["src/base", "src/api", "src/objects"],
  "src/scheduler": ["src/base", "src/api", "src/objects"],
  "src/server": ["src/base", "src/host", "src/api", "src/objects", "store"],
  "node-agent/core": ["src/base", "src/api"],
  "node-agent": ["node-agent/core", "src/base", "src/host", "src/api"],
  sdk: ["src/base", "src/host", "src/api"],
  cli: ["sdk", "src/base", "src/host", "src/api"],
};

/** Of the store, the control plane sees the interface alone. */
const storeFacade = new Set(["store/store.ts", "store/etcd.ts"]);
const storeFacadeOnly = ["src/objects", "src/controllers", "src/scheduler", "src/server"];

interface Project {
  readonly compilerOptions: { readonly types?: readonly string[] };
  readonly references?: readonly { readonly path: string }[];
}

function project(folder: string): Project {
  return JSON.parse(readFileSync(join(folder, "tsconfig.json"), "utf8")) as Project;
}

function importsOf(file: string): readonly string[] {
  const text = readFileSync(file, "utf8");
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map((match) =>
    relative(".", resolve(dirname(file), match[1]!)).replace(/\.js$/, ".ts"),
  );
}

describe("walls", () => {
  it("every project references only what its row allows", () => {
    const faults: string[] = [];
    for (const [folder, allowed] of Object.entries(arrows)) {
      for (const { path } of project(folder).references ?? []) {
        const target = relative(".", resolve(folder, path));
        if (!allowed.includes(target)) faults.push(`${folder} -> ${target}`);
      }
    }
    assert.deepEqual(faults, []);
  });

  it("deciding folders compile without Node's types", () => {
    for (const folder of pure) assert.equal(project(folder).compilerOptions.types, undefined, folder);
    const options = JSON.parse(readFileSync("tsconfig.options.json", "utf8")) as Project;
    assert.deepEqual(options.compilerOptions.types, []);
  });

  it("the control plane sees store/store.ts and nothing else of the store", () => {
    const faults: string[] = [];
    for (const file of sources.filter((name) => storeFacadeOnly.some((folder) => name.startsWith(`${folder}/`)))) {
      for (const target of importsOf(file)) {
        if (target.startsWith("store/") && !storeFacade.has(target)) faults.push(`${file} -> ${target}`);
      }
    }
    assert.deepEqual(faults, []);
  });

  it("every folder with sources is a project of the root build", () => {
    const root = JSON.parse(readFileSync("tsconfig.json", "utf8")) as Project;
    const projects = (root.references ?? []).map(({ path }) => relative(".", path));
    const orphans = sources.filter(
      (file) => !file.startsWith("types/") && !projects.some((folder) => file.startsWith(`${folder}/`)),
    );
    assert.deepEqual(orphans, []);
  });
});
