import type { JobName } from "./job.ts";
import { type FixedSchedule, missedSince, nextDue } from "./schedule.ts";

/** One job as the scheduler sees it. `due` is `null` before it was ever scheduled. */
export type Scheduled = {
  readonly job: JobName;
  readonly schedule: FixedSchedule;
  readonly due: number | null;
  readonly underway: boolean;
};

export type TickPlan = {
  /** Takes to start now, longest overdue first. */
  readonly start: readonly JobName[];
  readonly missed: readonly { readonly job: JobName; readonly count: number; readonly why: string }[];
  readonly dues: readonly { readonly job: JobName; readonly due: number }[];
};

/**
 * What one look at the clock brings: a generation that is due is started once however late it is (a catch-up, not a storm); one that
 * is still being taken is not doubled, the new one counts as missed; without a free place the job stays due.
 */
export function planTick(scheduled: readonly Scheduled[], now: number, freePlaces: number): TickPlan {
  const start: JobName[] = [];
  const missed: TickPlan["missed"][number][] = [];
  const dues: TickPlan["dues"][number][] = [];
  const byDue = scheduled.toSorted((a, b) => (a.due ?? now) - (b.due ?? now));
  for (const { job, schedule, due, underway } of byDue) {
    const next = () => dues.push({ job, due: nextDue(schedule, now, job) });
    // A clock that was set back leaves a due time far ahead: the schedule decides, not the row.
    if (due === null || due > nextDue(schedule, now, job)) next();
    else if (due <= now && underway) {
      missed.push({ job, count: 1, why: "the one before was still being taken" });
      next();
    } else if (due <= now && start.length < freePlaces) {
      start.push(job);
      const late = missedSince(schedule, due, now, job);
      if (late > 0) missed.push({ job, count: late, why: "the service was not there, or had no place free" });
      next();
    }
  }
  return { start, missed, dues };
}
