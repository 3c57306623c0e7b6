import { checkRecorded, isClean, reportLines } from "./check.js";
import { linesOf } from "./history-file.js";
import { readHistory } from "./recorded.js";
import { writeTimelines } from "./timeline-files.js";

// npm run linearizability -- FILE: checks a history that chaos has recorded.

const [file] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write("which history? npm run linearizability -- FILE\n");
  process.exitCode = 2;
} else {
  const report = checkRecorded(readHistory(linesOf(file)));
  process.stdout.write(`${[...reportLines(report), ...writeTimelines(report, file)].join("\n")}\n`);
  if (!isClean(report)) process.exitCode = 1;
}
