/** Writes numbered batches to the folder given, with many under way, until it is killed; tells each flush that completed. */
import { RocksKeyValue } from "../../../store/rocks/rocks-key-value.js";
import { pairsOf } from "./kill-batches.js";

const underWayMax = 64;
const batchesPerFlush = 100;
const folder = process.argv[2];
if (folder === undefined) throw new Error("usage: kill-child <folder>");
const keyValue = await RocksKeyValue.open(folder);
let next = 1;
let written = 0;

function writeMore(): void {
  for (; next - written <= underWayMax; next += 1) {
    const number = next;
    keyValue.write({ puts: pairsOf(number), deletes: [] }, (error) => {
      if (error) throw error;
      written = number;
      if (number % batchesPerFlush === 0) flush(number);
      writeMore();
    });
  }
}

function flush(number: number): void {
  keyValue.flush((error) => {
    if (error) throw error;
    process.stdout.write(`${number}\n`);
  });
}

writeMore();
