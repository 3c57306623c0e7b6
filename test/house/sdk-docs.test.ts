import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { reasons } from "../../src/base/errors.js";

// What programmers see of the library in their editor: the declarations that the compiler wrote, and the comments in them.

const entry = "dist/sdk/index.d.ts";

interface Declaration {
  readonly name: string;
  readonly file: string;
  readonly text: string;
  readonly doc: string;
  /** None for what is no class and no interface. */
  readonly members: readonly { readonly text: string; readonly doc: string }[];
}

/** Names that programs import, by the file that declares them. */
function exported(): Declaration[] {
  const text = readFileSync(entry, "utf8");
  return [...text.matchAll(/^export (?:type )?\{([^}]*)\} from "([^"]+)";/gm)].flatMap((match) => {
    const file = join("dist/sdk", match[2]!.replace(/\.js$/, ".d.ts"));
    const names = match[1]!.split(",").flatMap((name) => name.trim() || []);
    return names.map((name) => declarationOf(name, file));
  });
}

function declarationOf(name: string, file: string): Declaration {
  const lines = readFileSync(file, "utf8").split("\n");
  const at = lines.findIndex((line) =>
    new RegExp(`^export (?:declare )?(?:class|interface|type) ${name}\\b`).test(line),
  );
  assert.ok(at >= 0, `${name} is declared in ${file}`);
  const members: { text: string; doc: string }[] = [];
  if (/ (?:class|interface) /.test(lines[at]!) && !lines[at]!.endsWith("}")) {
    for (let line = at + 1; lines[line] !== "}"; line += 1) {
      // Four spaces: a member, and no part of one or of a comment.
      const member = /^ {4}(?![\s*}/]|#private|private )(.*)$/.exec(lines[line]!);
      if (member) members.push({ text: member[1]!, doc: docAbove(lines, line) });
    }
  }
  return { name, file, text: lines[at]!, doc: docAbove(lines, at), members };
}

/** The doc comment that ends in the line above. */
function docAbove(lines: readonly string[], at: number): string {
  if (!lines[at - 1]?.trimEnd().endsWith("*/")) return "";
  let first = at - 1;
  while (first >= 0 && !lines[first]!.trimStart().startsWith("/**")) first -= 1;
  return lines.slice(first, at).join("\n");
}

describe("the client library's declarations", () => {
  const all = exported();

  it("have a comment, each name and each member", () => {
    const faults: string[] = [];
    for (const { name, file, doc, members } of all) {
      if (doc === "") faults.push(name);
      // Fields of kinds are Kubernetes' own; `ikada explain` describes them.
      if (file.startsWith("dist/src/api/")) continue;
      for (const member of members) if (member.doc === "") faults.push(`${name}: ${member.text}`);
    }
    assert.deepEqual(faults, []);
    // The search itself has found something.
    assert.ok(all.length > 50);
    assert.ok(all.flatMap(({ members }) => members).length > 300);
  });

  it("say what each method that asks a server throws, by reasons that there are", () => {
    const faults: string[] = [];
    for (const { name, text, members } of all) {
      if (!text.includes(" class ")) continue;
      for (const member of members) {
        const isMethod = /^(?:static )?\w+(?:<.*?>)?\(.*\): (?:Promise|AsyncGenerator)</.test(member.text);
        if (!isMethod || member.text.startsWith("close(") || member.doc.includes("@internal")) continue;
        const thrown = /@throws (IkadaError [^@;]*)/.exec(member.doc)?.[1] ?? "";
        const named = [...thrown.matchAll(/(?:IkadaError |, )([A-Z]\w+)/g)].map((match) => match[1]!);
        const isKnown = named.length > 0 && named.every((reason) => Object.hasOwn(reasons, reason));
        if (!isKnown) faults.push(`${name}: ${member.text} throws ${named.join(", ")}`);
      }
    }
    assert.deepEqual(faults, []);
  });
});
