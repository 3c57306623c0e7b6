import { IkadaError } from "../../sdk/index.js";
import { diskFaults } from "./disk-faults.js";
import type { Fault } from "./fault.js";
import { memberFaults } from "./member-faults.js";
import { networkFaults } from "./network-faults.js";
import { processFaults } from "./process-faults.js";

/** All faults by name. docs/chaos.md describes each; a test compares the two. */
export const faults: Readonly<Record<string, Fault>> = {
  ...processFaults,
  ...networkFaults,
  ...diskFaults,
  ...memberFaults,
};

/** The faults of a list as `halves,sigstop`: names, their beginnings before a hyphen, or `all`. @throws IkadaError BadRequest */
export function faultsNamed(list: string): string[] {
  const names = Object.keys(faults);
  const chosen = list.split(",").flatMap((word) => {
    const meant = names.filter((name) => word === "all" || name === word || name.startsWith(`${word}-`));
    if (meant.length === 0)
      throw new IkadaError("BadRequest", `there is no fault "${word}"`, {
        hint: `there are ${names.join(", ")}; the beginning of a name stands for all that begin so, and "all" for all`,
      });
    return meant;
  });
  return [...new Set(chosen)];
}
