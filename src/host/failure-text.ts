import { IkadaError } from "../base/errors.js";

/** What a process that could not do its work says on stderr: reason, faults by field, what to do next; of defects, where they are. */
export function failureText(caught: unknown): string {
  const error = IkadaError.from(caught);
  const { faults = [], hint } = error.details;
  const lines = [
    `error (${error.reason}): ${error.message}`,
    ...faults.map(({ field, message }) => `  ${field}: ${message}`),
    ...(hint === undefined ? [] : [`  ${hint}`]),
    ...(error.reason === "Internal" && error.cause instanceof Error ? [error.cause.stack] : []),
  ];
  return `${lines.join("\n")}\n`;
}
