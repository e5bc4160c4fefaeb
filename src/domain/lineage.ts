import type { Generation } from "./generation.ts";
import type { Run } from "./run.ts";

/**
 * The points that a job's newest run grew out of, newest first: its own, then those up to the point it was restored from, and so on down.
 * A point that was left behind by going back is not among them: who went back to point 5 of 10 does not want 10. Where it is not
 * known what a run came from, all older points count.
 *
 * `runs`, `generations`: all of the job, in any order and state; `points`: the restore points among these.
 */
export function lineage(
  runs: readonly Run[],
  generations: readonly Generation[],
  points: readonly Generation[],
): readonly Generation[] {
  const newestFirst = points.toSorted((a, b) => b.number - a.number);
  const way: Generation[] = [];
  let run = newestOf(runs);
  for (let upTo = Infinity; run !== null;) {
    const at: Run = run;
    way.push(...newestFirst.filter((point) => point.run === at.number && point.number <= upTo));
    run = before(at, runs, generations);
    if (run === null) {
      const older = newestFirst.filter((point) => (at.from === null ? point.run < at.number : point.number <= at.from));
      way.push(...older.filter((point) => !way.includes(point)));
    }
    upTo = at.from ?? Infinity;
  }
  return way;
}

/**
 * Work done since a point by the newest run and those it grew out of, in milliseconds: what is lost by going back to it. Time in which nothing
 * ran is not in it, nor what was lost at an earlier restore. `null`: the run has not ended, or does not descend from the point.
 */
export function workSince(point: Generation, runs: readonly Run[], generations: readonly Generation[]): number | null {
  let run = newestOf(runs);
  let until = run?.endedAt ?? null;
  for (let [sum, upTo] = [0, Infinity]; run !== null && until !== null && point.number <= upTo;) {
    if (point.run === run.number) return sum + Math.max(0, until - point.takenAt);
    sum += Math.max(0, until - run.startedAt);
    if (run.from === point.number) return sum;
    const from: number | null = run.from;
    run = before(run, runs, generations);
    upTo = from ?? 0;
    until = generations.find((one) => one.number === from)?.takenAt ?? null;
  }
  return null;
}

/** The run in which the point was taken that this one was restored from; its number is lower, so that every way ends. */
function before(run: Run, runs: readonly Run[], generations: readonly Generation[]): Run | null {
  const home = generations.find((one) => one.number === run.from)?.run;
  return runs.find((one) => one.number === home && one.number < run.number) ?? null;
}

function newestOf(runs: readonly Run[]): Run | null {
  return runs.toSorted((a, b) => b.number - a.number)[0] ?? null;
}
