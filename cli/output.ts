/** What the CLI writes to a terminal: columns, and text from elsewhere made harmless. */

/** C0, C1, ESC, CR and characters that reorder text: names, events and log lines may carry them to attack a terminal. */
// eslint-disable-next-line no-control-regex -- these characters are what it is about
const dangerous = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Text of other people for a terminal: control characters are shown as `\xNN`, tabs and line feeds are kept. */
export function harmless(text: string): string {
  return text.replace(dangerous, (character) => {
    const code = character.codePointAt(0)!;
    return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** Indented JSON; what is dangerous in a terminal is escaped, which in JSON means the same. */
export function formatJson(value: unknown): string {
  const text = JSON.stringify(value, undefined, 4);
  return `${text.replace(dangerous, (character) => `\\u${character.codePointAt(0)!.toString(16).padStart(4, "0")}`)}\n`;
}

/** YAML; texts with what is dangerous in a terminal are quoted and escaped, which in YAML means the same. */
export async function formatYaml(value: unknown): Promise<string> {
  // Loaded only now: most commands print none.
  const { Document, Scalar, visit } = await import("yaml");
  const document = new Document(value, { aliasDuplicateObjects: false });
  visit(document, {
    Scalar: (_key, scalar) => {
      if (typeof scalar.value === "string" && scalar.value.search(dangerous) >= 0) scalar.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return harmless(document.toString({ lineWidth: 0 }));
}

/**
 * Left-aligned columns three spaces apart, as kubectl prints them; the last column is not padded. `widths` are those of
 * earlier tables to line up with, and are widened: for rows that are printed as they come.
 */
export function formatTable(rows: readonly (readonly string[])[], widths: number[] = []): string {
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  }
  return rows
    .map((row) =>
      row
        .map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index]! + 3)))
        .join("")
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("");
}
