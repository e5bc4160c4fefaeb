import { parseDuration } from "./duration.ts";
import type { Generation } from "./generation.ts";
import type { Job } from "./job.ts";
import type { Run } from "./run.ts";

/** `auto` allows for two generations that fail, and for a short interval. */
const autoIntervals = 3;
const autoLeastMilliseconds = 60_000;

/** The work at risk from which on a job is in danger: a duration (in milliseconds), `auto`, or `never` (`null`). Fault: `duration-invalid`. */
export function exposureLimit(text: string): Job["exposureLimit"] {
  if (text === "never") return null;
  return text === "auto" ? text : parseDuration(text);
}

/**
 * The limit of a job as a number now, milliseconds. `auto` is three intervals, at least a minute; none for a job on a calendar or without a
 * schedule. `interval`: what is planned now for a schedule that is `auto` itself; `null`: nothing yet, and so no limit.
 */
export function exposureLimitNow(job: Pick<Job, "exposureLimit" | "schedule">, interval: number | null): number | null {
  if (job.exposureLimit !== "auto") return job.exposureLimit;
  const { schedule } = job;
  const every = schedule?.type === "every" ? schedule.milliseconds : schedule?.type === "auto" ? interval : null;
  return every === null ? null : Math.max(autoLeastMilliseconds, autoIntervals * every);
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
