import { stringify } from "yaml";
import { parseManifest } from "../../cli/manifest.js";
import { atPlace, checkNewObject, placeObject } from "../../cli/placed-object.js";
import { kinds } from "../../src/api/registry.js";
import { IkadaError } from "../../src/base/errors.js";
import type { SeededRandom } from "../sim/random.js";
import { bendJson, chooseObject, tamedJson, validObject } from "./objects.js";
import { oddText } from "./odd-values.js";
import { randomOf } from "./requests.js";

/** A manifest's bytes of this number: YAML of one to some objects, bent as a value or as text. */
export function makeManifest(seed: number, number: number): Buffer {
  const random = randomOf(seed, number);
  const texts = Array.from({ length: random.pick([1, 1, 1, 2, 3]) }, () => documentText(random));
  let text = texts.join("---\n");
  for (let times = random.pick([0, 0, 1, 1, 2]); times > 0; times -= 1) text = bendYaml(text, random);
  const bytes = Buffer.from(text);
  if (bytes.length > 0 && random.chance(0.03)) bytes[random.int(bytes.length)] = random.int(256);
  return bytes;
}

/** The most that one manifest may take. Far more than any does, far less than one that grows without bound. */
const manifestMsMax = 5_000;

export interface TriedManifest {
  readonly fault: string | undefined;
  /** The objects that the command line would send. */
  readonly objects: readonly object[];
  readonly ms: number;
}

/** Does what `ikada apply` does before it asks a server: a manifest is read, or refused with an error that has a reason. */
export function tryManifest(bytes: Uint8Array): TriedManifest {
  const startedAt = performance.now();
  const objects: object[] = [];
  let fault: string | undefined;
  try {
    for (const manifest of parseManifest("fuzz.yaml", bytes)) {
      const placed = placeObject(manifest, "fuzz-a");
      try {
        checkNewObject(placed);
      } catch (caught) {
        throw atPlace(IkadaError.from(caught), placed);
      }
      objects.push(placed.object);
    }
  } catch (caught) {
    const { reason, message } = IkadaError.from(caught);
    if (reason === "Internal") fault = `a manifest fails inside: ${message.slice(0, 200)}`;
  }
  const ms = performance.now() - startedAt;
  if (ms > manifestMsMax) fault ??= "a manifest takes too long";
  return { fault, objects, ms };
}

function documentText(random: SeededRandom): string {
  const object = validObject(chooseObject(kinds, random), random);
  if (random.chance(0.5)) return stringify(JSON.parse(tamedJson(object)), { aliasDuplicateObjects: false });
  const bent = JSON.parse(tamedJson(bendJson(object, random))) as unknown;
  if (typeof bent !== "object" || bent === null) return `${JSON.stringify(bent)}\n`;
  // As JSON below the first level: what is bent may be too deep for the library to write.
  return Object.entries(bent)
    .map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}\n`)
    .join("");
}

function bendYaml(text: string, random: SeededRandom): string {
  const lines = text.split("\n");
  const at = random.int(lines.length);
  const line = lines[at]!;
  const withLine = (...others: readonly string[]): string => lines.toSpliced(at, 1, ...others).join("\n");
  switch (random.int(16)) {
    case 0:
      return withLine(`\t${line}`);
    case 1:
      return withLine(line, line);
    case 2:
      return withLine(` ${line}`);
    case 3:
      return withLine(line.replace(/: .*$/, `: ${oddText(random)}`));
    case 4:
      return withLine(line.replace(/: .*$/, `: &a${at} x`), `  y: *a${at}`, `  <<: *a${at}`);
    case 5:
      return aliasBomb(random.pick([2, 10, 40]), random.pick([2, 9]));
    case 6:
      return nestedFlow(random.chance(0.1) ? 20_000 : random.pick([60, 64, 65, 1_000]), random);
    case 7:
      return nestedBlock(random.chance(0.1) ? 2_000 : random.pick([60, 65, 200]));
    case 8:
      return `${text}\n---\n`.repeat(random.pick([2, 30]));
    case 9:
      return "---\n".repeat(random.chance(0.1) ? 20_000 : random.pick([10, 1_001]));
    case 10:
      return withLine(
        line.replace(
          /: .*$/,
          `: ${random.pick(["!!binary YQ==", "!!js/function x", "!x y", "!!set {a}", "!!merge <<"])}`,
        ),
      );
    case 11:
      return `${random.pick(["%YAML 1.1", "%YAML 9.9", "%TAG ! x", "%"])}\n---\n${text}`;
    case 12:
      return text.replaceAll("\n", random.pick(["\r\n", "\r", "\u2028", "\0\n"]));
    case 13:
      return withLine(
        line.replace(/: .*$/, random.pick([": |", ": >-", ": |99", ': "', ": '", ": {", ": [", ": *none", ": ? x"])),
      );
    case 14:
      return withLine(`${line}${" ".repeat(random.pick([10, 5_000]))}#${oddText(random)}`);
    default:
      return text.slice(0, random.int(text.length + 1));
  }
}

/** Each level names the one before several times: `width ** levels` leaves. */
function aliasBomb(levels: number, width: number): string {
  const lines = ["apiVersion: v1", "kind: ConfigMap", "metadata: {name: fuzz-1}", "a0: &a0 x"];
  for (let level = 1; level <= levels; level += 1)
    lines.push(`a${level}: &a${level} [${Array.from({ length: width }, () => `*a${level - 1}`).join(", ")}]`);
  return lines.join("\n");
}

function nestedFlow(depth: number, random: SeededRandom): string {
  const [open, close] = random.pick([
    ["[", "]"],
    ["{a: ", "}"],
    ["[{a: [", "]}]"],
    ["[", ""],
    ["? [", ""],
  ] as const);
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fuzz-1}\ndata: ${open.repeat(depth)}x${close.repeat(depth)}\n`;
}

function nestedBlock(depth: number): string {
  return Array.from({ length: depth }, (_, level) => `${" ".repeat(level)}a:`).join("\n");
}
