import type { AnyObject } from "../src/api/object.js";
import { IkadaError } from "../src/base/errors.js";
import { valuesAt, valueText } from "./jsonpath/evaluate.js";
import { parsePath, type Path } from "./jsonpath/parse.js";

/** A column of `-o custom-columns`. */
export interface CustomColumn {
  readonly header: string;
  readonly path: Path;
}

/**
 * `NAME:.metadata.name,IMAGES:.spec.containers[*].image`; commas in brackets and quotes belong to a path.
 * @throws IkadaError BadRequest with the column that makes no sense
 */
export function parseColumns(text: string): CustomColumn[] {
  if (text.trim() === "")
    throw new IkadaError("BadRequest", "custom-columns: no columns are given", { hint: columnsHint });
  return splitColumns(text).map((column, index) => {
    const colon = column.indexOf(":");
    const [header, path] = [column.slice(0, Math.max(colon, 0)).trim(), column.slice(colon + 1).trim()];
    if (colon < 0 || header === "" || path === "")
      throw new IkadaError("BadRequest", `custom-columns: column ${index + 1}, "${column}", is not HEADER:PATH`, {
        hint: columnsHint,
      });
    return { header, path: columnPath(path, `column ${index + 1}, ${header}`) };
  });
}

/**
 * A file of two lines: the headers, and below them the paths, each separated by spaces.
 * @throws IkadaError BadRequest with the line that makes no sense
 */
export function parseColumnsFile(file: string, text: string): CustomColumn[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const words = (line = ""): string[] => line.trim().split(/\s+/);
  const [headers, paths] = [words(lines[0]), words(lines[1])];
  if (lines.length !== 2)
    throw new IkadaError("BadRequest", `${file}: two lines are expected, headers and paths; it has ${lines.length}`);
  if (headers.length !== paths.length)
    throw new IkadaError("BadRequest", `${file}: ${headers.length} headers and ${paths.length} paths`, {
      hint: "each header needs one path below it, without spaces in it",
    });
  return headers.map((header, index) => ({ header, path: columnPath(paths[index]!, `${file}: column ${header}`) }));
}

/** One row; several values are joined by commas, what is not there is `<none>`. */
export function customRow(columns: readonly CustomColumn[], object: AnyObject): string[] {
  return columns.map(({ path }) => {
    const values = present(path, object).filter((value) => value !== null);
    return values.length === 0 ? "<none>" : values.map(valueText).join(",");
  });
}

/** An index beyond a list is as good as a missing field: other rows may have it. */
function present(path: Path, object: AnyObject): unknown[] {
  try {
    return valuesAt(path, object);
  } catch (caught) {
    if (IkadaError.from(caught).reason === "NotFound") return [];
    throw caught;
  }
}

const columnsHint = "for example -o custom-columns=NAME:.metadata.name,IMAGES:.spec.containers[*].image";

function columnPath(text: string, about: string): Path {
  try {
    return parsePath(text);
  } catch (caught) {
    const { reason, message, details } = IkadaError.from(caught);
    throw new IkadaError(reason, `custom-columns: ${about}: ${message}`, details, caught);
  }
}

function splitColumns(text: string): string[] {
  const columns: string[] = [];
  let [start, depth, quote] = [0, 0, ""];
  for (let at = 0; at < text.length; at += 1) {
    const next = text[at]!;
    if (next === "\\") at += 1;
    else if (quote !== "") quote = next === quote ? "" : quote;
    else if (depth > 0 && (next === "'" || next === '"')) quote = next;
    else if (next === "[") depth += 1;
    else if (next === "]") depth -= 1;
    else if (next === "," && depth === 0) {
      columns.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return [...columns, text.slice(start)];
}
