import type { FieldFault } from "../../base/errors.js";

/** A count, or a percentage of the replicas or nodes. */
export interface Amount {
  readonly value: number;
  readonly percent: boolean;
}

/** What was given for a field such as `maxUnavailable`; undefined when it is absent, or, with a fault, when it is neither count nor percentage. */
export function amountRule(value: unknown, field: string, faults: FieldFault[]): Amount | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number") {
    if (Number.isInteger(value) && value >= 0) return { value, percent: false };
  } else if (typeof value === "string") {
    const match = /^(\d{1,9})%$/.exec(value);
    if (match !== null) return { value: Number(match[1]), percent: true };
  }
  faults.push({ field, reason: "Invalid", message: `must be a whole number from 0 or a percentage such as "25%"` });
  return undefined;
}

/** As `amountRule`, of what can't be more than everything. */
export function shareRule(value: unknown, field: string, faults: FieldFault[]): Amount | undefined {
  const amount = amountRule(value, field, faults);
  if (amount?.percent === true && amount.value > 100)
    faults.push({ field, reason: "Invalid", message: "must not be more than 100%" });
  return amount;
}
