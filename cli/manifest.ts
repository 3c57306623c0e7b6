import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  visit,
  type Alias,
  type Document,
  type Node,
} from "yaml";
import { IkadaError } from "../src/base/errors.js";
import { limits } from "../src/base/limits.js";

/** One object of a manifest, with the way back from a field to the line it stands on. */
export interface ManifestObject {
  readonly value: Record<string, unknown>;
  /** `hello.yaml:12:7` of the field with this path, or of the nearest one around it that is there. */
  readonly locate: (field: string) => string;
}

const manifestName = /\.(ya?ml|json)$/;

/** Largest file read; several thousand objects. */
const fileBytesMax = 64 * 1024 * 1024;

/**
 * Reads manifests from a file, a folder (its .yaml, .yml and .json files in name order, not deeper unless `recursive`),
 * or standard input for `-`.
 * @throws IkadaError Invalid with file:line:column for broken YAML and for what is no object
 */
export function readManifests(path: string, recursive = false): ManifestObject[] {
  if (path === "-") return parseManifest("stdin", readFileSync(0));
  let stat;
  try {
    stat = statSync(path);
  } catch (caught) {
    throw new IkadaError("NotFound", `cannot read ${path}: no such file or folder`, {}, caught);
  }
  if (!stat.isDirectory()) return parseManifest(path, readBounded(path, stat.size));
  const objects: ManifestObject[] = [];
  for (const entry of readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const child = join(path, entry.name);
    if (entry.isDirectory() && recursive) objects.push(...readManifests(child, true));
    else if (entry.isFile() && manifestName.test(entry.name)) objects.push(...readManifests(child));
  }
  if (objects.length === 0)
    throw new IkadaError("NotFound", `no .yaml, .yml or .json file with an object in folder ${path}`);
  return objects;
}

function readBounded(path: string, sizeBytes: number): Uint8Array {
  if (sizeBytes > fileBytesMax)
    throw new IkadaError("TooLarge", `${path} has ${sizeBytes} bytes; ${fileBytesMax} is the most one file may have`);
  return readFileSync(path);
}

/** Parses the documents of one file. Lists (`kind: List`) are taken apart; empty documents are skipped. */
export function parseManifest(file: string, bytes: Uint8Array): ManifestObject[] {
  if (bytes.length > fileBytesMax) throw new IkadaError("TooLarge", `${file} has more than ${fileBytesMax} bytes`);
  const lines = new LineCounter();
  const text = new TextDecoder("utf-8", { fatal: false }).decode(bytes);
  const documents = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true });
  if (!Array.isArray(documents)) return [];
  if (documents.length > limits.manifestDocumentsMax) {
    throw new IkadaError(
      "TooLarge",
      `${file} has ${documents.length} documents; ${limits.manifestDocumentsMax} is the most one file may have`,
    );
  }
  return documents.flatMap((document) => objectsOf(file, document as Document, lines));
}

function objectsOf(file: string, document: Document, lines: LineCounter): ManifestObject[] {
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const fault = document.errors[0];
  if (fault)
    throw new IkadaError(
      "Invalid",
      `${place(fault.pos[0])}: ${fault.message.split("\n")[0]!.replace(/ at line \d+, column \d+:?$/, "")}`,
    );
  const root = document.contents as Node | null;
  if (root === null || (isScalar(root) && root.value === null)) return [];
  checkDepth(root, place);
  if (!isMap(root))
    throw new IkadaError(
      "Invalid",
      `${place(root.range?.[0] ?? 0)}: an object with apiVersion, kind and metadata is expected here`,
    );
  let value: Record<string, unknown>;
  try {
    value = document.toJS({ maxAliasCount: limits.yamlAliasesMax }) as Record<string, unknown>;
  } catch (caught) {
    const lost = unresolvedAlias(document);
    throw new IkadaError(
      "Invalid",
      lost
        ? `${place(lost.range?.[0] ?? 0)}: there is no anchor &${lost.source} before this alias`
        : `${place(root.range?.[0] ?? 0)}: more than ${limits.yamlAliasesMax} aliases are expanded here`,
      {},
      caught,
    );
  }
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

function unresolvedAlias(document: Document): Alias | undefined {
  let found: Alias | undefined;
  visit(document, {
    Alias: (_key, alias) => {
      if (alias.resolve(document)) return undefined;
      found = alias;
      return visit.BREAK;
    },
  });
  return found;
}

/** Walks without recursion, since the input may be deeper than the stack. */
function checkDepth(root: Node, place: (offset: number) => string): void {
  const stack: { node: unknown; depth: number }[] = [{ node: root, depth: 1 }];
  for (let next = stack.pop(); next; next = stack.pop()) {
    const { node, depth } = next;
    if (depth > limits.objectDepthMax) {
      const offset = (node as Node | null)?.range?.[0] ?? 0;
      throw new IkadaError("Invalid", `${place(offset)}: nested deeper than ${limits.objectDepthMax} levels`);
    }
    if (isMap(node) || isSeq(node)) {
      for (const item of node.items) stack.push({ node: isPair(item) ? item.value : item, depth: depth + 1 });
    }
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
