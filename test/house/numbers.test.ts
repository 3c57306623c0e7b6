import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

// Indexes, revisions and terms are 64 bit on the wire and numbers in the code, exact up to 2^53 - 1.

interface Field {
  readonly message: string;
  readonly field: string;
  readonly type: string;
  readonly repeated: boolean;
}

interface MessageClass {
  encode(message: object): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Readonly<Record<string, unknown>>;
}

/** The 64-bit fields of a .proto file, by a scan that knows comments and nested messages. */
function wideFields(text: string): Field[] {
  const found: Field[] = [];
  const open: (string | undefined)[] = [];
  const token = /\bmessage\s+(\w+)\s*\{|\{|\}|\b(repeated\s+)?(u?int64|sint64|s?fixed64)\s+(\w+)\s*=/g;
  for (const [whole, message, repeated, type, field] of text.replace(/\/\/.*$/gm, "").matchAll(token)) {
    if (message !== undefined || whole === "{") open.push(message);
    else if (whole === "}") open.pop();
    else
      found.push({
        message: open.filter((name) => name !== undefined).join("."),
        field: field!.replace(/_(\w)/g, (_underscore, letter: string) => letter.toUpperCase()),
        type: type!,
        repeated: repeated !== undefined,
      });
  }
  return found;
}

function at(root: unknown, path: string): unknown {
  return path.split(".").reduce((value, step) => (value as Record<string, unknown>)[step], root);
}

describe("64-bit numbers", () => {
  for (const file of readdirSync("proto").filter((name) => name.endsWith(".proto"))) {
    it(`every one of proto/${file} comes back exact up to 2^53 - 1`, async () => {
      const text = readFileSync(join("proto", file), "utf8");
      const fields = wideFields(text);
      assert.equal(fields.length, text.replace(/\/\/.*$/gm, "").match(/\b(u?int64|sint64|s?fixed64)\b/g)?.length);
      const generated = join("proto", "gen", file.replace(".proto", ".js"));
      // In one process a single module that does so is enough for all; each must do so for processes that load it alone.
      assert.match(readFileSync(generated, "utf8"), /util\.Long = undefined;\n.*configure\(\);/, generated);
      const module = (await import(pathToFileURL(resolve(generated)).href)) as object;
      const root = at(module, /^package\s+([\w.]+);/m.exec(text)![1]!);
      for (const { message, field, type, repeated } of fields) {
        const Message = at(root, message) as MessageClass;
        const numbers = [0, 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1, ...(type.startsWith("u") ? [] : [-1, 1 - 2 ** 53])];
        for (const number of numbers) {
          const given = repeated ? [number] : number;
          const decoded = Message.decode(Message.encode({ [field]: given }).finish())[field];
          assert.deepStrictEqual(decoded, given, `${message}.${field} = ${number}`);
        }
      }
    });
  }
});
