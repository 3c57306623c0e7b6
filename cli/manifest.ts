import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  Composer,
  isMap,
  isPair,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  visit,
  type CST,
  type Document,
  type Node,
} from "yaml";
import { IkadaError } from "../src/base/errors.js";
import { limits } from "../src/base/limits.js";
import { readBytes } from "./read-text.js";

/** One object of a manifest, with the way back from a field to the line it stands on. */
export interface ManifestObject {
  readonly value: Record<string, unknown>;
  /** `hello.yaml:12:7` of the field with this path, or of the nearest one around it that is there. */
  readonly locate: (field: string) => string;
}

const manifestName = /\.(ya?ml|json)$/;

/** Largest file read; ten thousand objects. */
const fileBytesMax = 16 * 1024 * 1024;

/** What a parser holds open beside the levels of the value: the document, the scalar. */
const openBesideLevels = 4;

/**
 * Reads manifests from a file, a folder (its .yaml, .yml and .json files in name order, not deeper unless `recursive`),
 * or standard input for `-`.
 * @throws IkadaError Invalid with file:line:column for broken YAML and for what is no object
 */
export function readManifests(path: string, recursive = false): ManifestObject[] {
  if (path === "-") return parseManifest("stdin", readBytes(path, fileBytesMax));
  let stat;
  try {
    stat = statSync(path);
  } catch (caught) {
    throw unreadable(path, caught);
  }
  if (!stat.isDirectory()) return parseManifest(path, readBytes(path, fileBytesMax));
  const objects = filesIn(path, recursive).flatMap((file) => parseManifest(file, readBytes(file, fileBytesMax)));
  if (objects.length > 0) return objects;
  throw new IkadaError("NotFound", `no .yaml, .yml or .json file with an object in folder ${path}`, {
    hint: recursive ? "name a file, or another folder" : "its subfolders are only looked into with -R",
  });
}

function unreadable(path: string, caught: unknown): IkadaError {
  const { code, message } = caught as NodeJS.ErrnoException;
  if (code === "ENOENT") return new IkadaError("NotFound", `cannot read ${path}: no such file or folder`, {}, caught);
  return new IkadaError("Invalid", `cannot read ${path}: ${message}`, {}, caught);
}

/** Links to files are files, as a mounted ConfigMap has them; links to folders are not followed, they may go in circles. */
function filesIn(folder: string, recursive: boolean): string[] {
  let entries;
  try {
    entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (caught) {
    throw unreadable(folder, caught);
  }
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return recursive ? filesIn(path, true) : [];
    if (!manifestName.test(entry.name)) return [];
    return entry.isFile() || (entry.isSymbolicLink() && isFile(path)) ? [path] : [];
  });
}

/** @throws IkadaError NotFound for a link that leads nowhere: what it should lead to is missing from what is applied */
function isFile(link: string): boolean {
  try {
    return statSync(link).isFile();
  } catch (caught) {
    throw new IkadaError("NotFound", `cannot read ${link}: the link leads nowhere`, {}, caught);
  }
}

/** Parses the documents of one file. Lists (`kind: List`) are taken apart; empty documents are skipped. */
export function parseManifest(file: string, bytes: Uint8Array): ManifestObject[] {
  const { documents, place } = parseDocuments(file, bytes);
  return documents.flatMap((document) => objectsOf(document, place));
}

/** Parses a file that holds one value of any type. @throws IkadaError Invalid with file:line:column */
export function parseValue(file: string, bytes: Uint8Array): unknown {
  const { documents, place } = parseDocuments(file, bytes);
  const [document, more] = documents.filter(({ contents }) => contents !== null);
  if (document === undefined || more !== undefined)
    throw new IkadaError("Invalid", `${file}: one value is expected, there ${more ? "are several" : "is none"}`);
  return valueOf(document, place);
}

/** `file:line:column` of an offset. */
type Place = (offset: number) => string;

/**
 * YAML to documents, with what could keep the parser busy or exhaust its stack refused on the way: it builds each level by
 * calling itself, and compares each key with all before it.
 */
function parseDocuments(file: string, bytes: Uint8Array): { documents: Document[]; place: Place } {
  if (bytes.length > fileBytesMax)
    throw new IkadaError("TooLarge", `${file} has more than ${fileBytesMax} bytes`, { hint: "split it" });
  const lines = new LineCounter();
  const place: Place = (offset) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  lines.addNewLine(0);
  const parser = new Parser(lines.addNewLine);
  const tokens = function* (): Generator<CST.Token> {
    for (const lexeme of new Lexer().lex(new TextDecoder("utf-8", { fatal: false }).decode(bytes))) {
      yield* parser.next(lexeme);
      if (parser.stack.length > limits.objectDepthMax + openBesideLevels) throw tooDeep(place(parser.offset));
    }
    yield* parser.end();
  };
  const documents: Document[] = [];
  for (const document of new Composer({ uniqueKeys: false }).compose(tokens())) {
    documents.push(document as unknown as Document);
    if (documents.length > limits.manifestDocumentsMax)
      throw new IkadaError(
        "TooLarge",
        `${file} has more than ${limits.manifestDocumentsMax} documents, the most that one file may have`,
        { hint: "split it" },
      );
  }
  return { documents, place };
}

function tooDeep(place: string): IkadaError {
  return new IkadaError("Invalid", `${place}: nested deeper than ${limits.objectDepthMax} levels`);
}

/** @throws IkadaError Invalid with the place of the first fault */
function valueOf(document: Document, place: Place): unknown {
  const fault = document.errors[0];
  if (fault)
    throw new IkadaError(
      "Invalid",
      `${place(fault.pos[0])}: ${fault.message.split("\n")[0]!.replace(/ at line \d+, column \d+:?$/, "")}`,
    );
  const root = document.contents as Node | null;
  if (root === null) return null;
  checkNodes(root, place);
  checkAliases(document, place);
  try {
    return document.toJS({ maxAliasCount: limits.yamlAliasesMax });
  } catch (caught) {
    const message = `${place(root.range?.[0] ?? 0)}: more than ${limits.yamlAliasesMax} aliases are expanded here`;
    throw new IkadaError("Invalid", message, {}, caught);
  }
}

function objectsOf(document: Document, place: Place): ManifestObject[] {
  const read = valueOf(document, place);
  if (read === null) return [];
  const root = document.contents as Node;
  if (!isMap(root))
    throw new IkadaError(
      "Invalid",
      `${place(root.range?.[0] ?? 0)}: an object with apiVersion, kind and metadata is expected here`,
    );
  const value = read as Record<string, unknown>;
  if (value["kind"] === "List" && Array.isArray(value["items"])) {
    return value["items"].map((item: unknown, index) => {
      const locate = (field: string): string => place(offsetOf(root, ["items", String(index), ...pathOf(field)]));
      if (typeof item !== "object" || item === null || Array.isArray(item))
        throw new IkadaError("Invalid", `${locate("")}: an object with apiVersion, kind and metadata is expected here`);
      return { value: item as Record<string, unknown>, locate };
    });
  }
  return [{ value, locate: (field) => place(offsetOf(root, pathOf(field))) }];
}

/** @throws IkadaError Invalid for an alias of nothing, or of something that it is a part of */
function checkAliases(document: Document, place: Place): void {
  visit(document, {
    Alias: (_key, alias, around) => {
      const meant = alias.resolve(document);
      const at = place(alias.range?.[0] ?? 0);
      if (!meant) throw new IkadaError("Invalid", `${at}: there is no anchor &${alias.source} before this alias`);
      if (around.includes(meant)) throw new IkadaError("Invalid", `${at}: *${alias.source} would contain itself`);
    },
  });
}

/**
 * What YAML can say and JSON can't, and what one would say by mistake: keys that stand twice, keys that are no text, numbers
 * that are none. Walks without recursion, since aliases and tags may be nested deeper than the text.
 */
function checkNodes(root: Node, place: Place): void {
  const stack: { node: unknown; depth: number }[] = [{ node: root, depth: 1 }];
  for (let next = stack.pop(); next; next = stack.pop()) {
    const { node, depth } = next;
    const offset = (node as Node | null)?.range?.[0] ?? 0;
    if (depth > limits.objectDepthMax) throw tooDeep(place(offset));
    if (isScalar(node) && typeof node.value === "number" && !Number.isFinite(node.value))
      throw new IkadaError(
        "Invalid",
        `${place(offset)}: ${node.source ?? String(node.value)} is no number that JSON knows`,
      );
    if (isMap(node)) checkKeys(node.items, place);
    if (isMap(node) || isSeq(node)) {
      for (const item of node.items) stack.push({ node: isPair(item) ? item.value : item, depth: depth + 1 });
    }
  }
}

function checkKeys(items: readonly { readonly key: unknown }[], place: Place): void {
  const places = new Map<string, number>();
  for (const { key } of items) {
    const offset = (key as Node | null)?.range?.[0] ?? 0;
    if (!isScalar(key)) throw new IkadaError("Invalid", `${place(offset)}: a key is a text, no list, object or alias`);
    const name = String(key.value);
    const first = places.get(name);
    if (first !== undefined)
      throw new IkadaError("Invalid", `${place(offset)}: the key ${name} stands twice, first at ${place(first)}`, {
        hint: "the second would silently replace the first: remove one of them",
      });
    if (name === "__proto__") throw new IkadaError("Invalid", `${place(offset)}: there is no field ${name}`);
    places.set(name, offset);
  }
}

/** `spec.containers[0].ports` as `["spec", "containers", "0", "ports"]`; keys with dots stand in brackets: `labels[a.b/c]`. */
export function pathOf(field: string): string[] {
  return [...field.matchAll(/\[([^\]]*)\]|([^.[\]]+)/g)].map((match) => match[1] ?? match[2]!);
}

/** Offset of the key (or item) at `path`; of the last one found on the way when it is missing. */
function offsetOf(root: Node, path: readonly string[]): number {
  let node: unknown = root;
  let offset = root.range?.[0] ?? 0;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === step);
      if (!pair) return offset;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      const named = node.items.findIndex((item) => isMap(item) && item.get("name") === step);
      const item = node.items[/^\d+$/.test(step) ? Number(step) : named];
      if (item === undefined) return offset;
      node = item;
      offset = (item as Node).range?.[0] ?? offset;
    } else {
      return offset;
    }
  }
  return offset;
}
