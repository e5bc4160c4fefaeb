import { parseDuration } from "./duration.ts";
import type { Generation } from "./generation.ts";
import type { Run } from "./run.ts";
import type { Schedule } from "./schedule.ts";

/** `auto` allows for two generations that fail, and for a short interval. */
const autoIntervals = 3;
const autoLeastMilliseconds = 60_000;

/**
 * The work at risk from which on a job is in danger, in milliseconds: a duration, `auto` (three intervals, at least a minute; none for
 * a job on a calendar or without a schedule), or `never`. Fault: `duration-invalid`.
 */
export function exposureLimit(text: string, schedule: Schedule | null): number | null {
  if (text === "never") return null;
  if (text !== "auto") return parseDuration(text);
  return schedule?.type === "every" ? Math.max(autoLeastMilliseconds, autoIntervals * schedule.milliseconds) : null;
}

/** Work that would be lost now, milliseconds: since the run's newest point, or since it began (a restore begins a run). */
export function workAtRisk(
  run: Pick<Run, "number" | "startedAt">,
  newest: Pick<Generation, "run" | "takenAt"> | null,
  now: number,
): number {
  const since = newest?.run === run.number ? newest.takenAt : 0;
  return Math.max(0, now - Math.max(since, run.startedAt));
}
