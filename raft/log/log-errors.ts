import { IkadaError } from "../../src/base/errors.js";

/** An error that names file and place, and what to do about it. */
export function logDamaged(path: string, fault: string): IkadaError {
  return new IkadaError("Internal", `the Raft log is damaged: ${path}, ${fault}`, {
    hint:
      "Leave this replica stopped; the others serve without it while they are a majority. Keep the folder, check the disk, " +
      "and do not start the replica on an emptied folder: one that forgot its vote or its entries can make the cluster lose acknowledged writes.",
  });
}
