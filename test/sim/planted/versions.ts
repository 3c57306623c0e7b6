import type { PlantedFault } from "./planted-fault.js";

/** One world in eight begins with logs of version 1; the hunt need not wait for those. */
const set = { oldLogShare: 0.5 } as const;

export const versionsFaults: readonly PlantedFault[] = [
  {
    name: "a hard state of version 1 is damage",
    set,
    edits: [
      {
        file: "raft/log/replay.js",
        find: "payload.length === 16 || payload.length === 8",
        replace: "payload.length === 16",
      },
    ],
  },
  {
    name: "a marker of version 1 is none",
    set,
    edits: [
      { file: "raft/log/marker.js", find: "if (slotVersionAt(file, bytes, at) !== 1 ||", replace: "if (true ||" },
    ],
  },
  {
    name: "a change of format 1 can't be read",
    set,
    edits: [
      {
        file: "raft/conf-change.js",
        find: "format !== formatVersion && format !== resultVersion",
        replace: "format !== resultVersion",
      },
    ],
  },
];
