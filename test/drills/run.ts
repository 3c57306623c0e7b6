import { setTimeout as sleep } from "node:timers/promises";
import { drillNamed, drills } from "./drills.js";
import { World } from "./world.js";

export interface RunOptions {
  /** Names of drills. @default all */
  readonly names?: readonly string[];
  /** @default each drill's own */
  readonly times?: number | undefined;
  /** @default each drill's own */
  readonly awayMs?: number | undefined;
  readonly pods: number;
  readonly tell: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** Of one drill. */
export interface Row {
  readonly name: string;
  readonly rounds: number;
  /** Containers that ended in it, as they should, and run again. */
  readonly died: number;
  /** The longest time until what was broken ran again; undefined where it is not measured. */
  readonly repairedMsMost: number | undefined;
  /** What was wrong, of each round that was not as it should be. */
  readonly wrong: readonly string[];
}

/** A run of at least this long ends a series of pauses between restarts, so that rounds take equally long. */
const restMs = 11_000;

/** Runs the drills one after the other, those of one kind of engine in one world. After a failure a drill begins in a new world. */
export async function runDrills(options: RunOptions): Promise<readonly Row[]> {
  const names = options.names ?? Object.keys(drills);
  for (const name of names) drillNamed(name);
  const rows: Row[] = [];
  for (const liveRestore of [true, false]) {
    const chosen = names.filter((name) => drillNamed(name).liveRestore === liveRestore);
    let world: World | undefined;
    try {
      for (const name of chosen) {
        options.signal?.throwIfAborted();
        world ??= await World.start({ pods: options.pods, liveRestore });
        const row = await runDrill(world, name, options);
        rows.push(row);
        options.tell(rowLine(row, options.pods));
        if (row.wrong.length === 0) continue;
        process.stderr.write(world.cluster.logs() + world.engine.logs());
        await world.close();
        world = undefined;
      }
    } finally {
      await world?.close();
    }
  }
  return rows;
}

async function runDrill(world: World, name: string, options: RunOptions): Promise<Row> {
  const drill = drillNamed(name);
  const times = options.times ?? drill.times;
  let died = 0;
  let repairedMsMost: number | undefined;
  for (let round = 0; round < times; round += 1) {
    options.signal?.throwIfAborted();
    try {
      if (round > 0 && drill.endsAll === true) await sleep(restMs);
      const before = await world.begin();
      const outcome = await drill.run(world, round, options.awayMs ?? drill.awayMs);
      await world.check(before, outcome.died, drill.endsAll === true);
      for (const count of outcome.died.values()) died += count;
      if (outcome.repairedMs !== undefined) repairedMsMost = Math.max(repairedMsMost ?? 0, outcome.repairedMs);
    } catch (caught) {
      // What follows in a world that is not whole says nothing.
      const text = caught instanceof Error ? caught.message : String(caught);
      return { name, rounds: round + 1, died, repairedMsMost, wrong: [`round ${round + 1}: ${text}`] };
    }
  }
  return { name, rounds: times, died, repairedMsMost, wrong: [] };
}

function rowLine({ name, rounds, died, repairedMsMost, wrong }: Row, pods: number): string {
  const repaired = repairedMsMost === undefined ? "" : `, repaired within ${Math.round(repairedMsMost)} ms`;
  const verdict = wrong.length === 0 ? "no Pod lost or doubled, nothing else touched" : `WRONG: ${wrong.join("; ")}`;
  return `${name.padEnd(12)} ${rounds} rounds, ${pods} Pods, ${died} containers died and run again${repaired}: ${verdict}`;
}
