import type { Job } from "../domain/job.ts";
import { fixedSchedule, nextDue } from "../domain/schedule.ts";
import { intervalFor } from "./interval.ts";
import type { Ports } from "./ports.ts";

/** Writes down when the job's next generation falls due, counted from now; `null` without a schedule. */
export async function scheduleNext(ports: Ports, job: Job): Promise<number | null> {
  if (!job.schedule) return null;
  const now = ports.clock.now();
  const interval = job.schedule.type === "auto" ? (await intervalFor(ports, job)).every : null;
  const due = nextDue(fixedSchedule(job.schedule, interval ?? 0), now, job.name);
  await ports.catalogue.putDue({ job: job.name, due, lastAttemptAt: now, interval });
  return due;
}

/**
 * After a take: if the job's schedule is `auto`, and what its generations cost makes another interval the best one, the next falls due by
 * that. A crash before leaves the old interval, until the next take.
 */
export async function planAgain(ports: Ports, job: Job): Promise<void> {
  if (job.schedule?.type !== "auto") return;
  const { every } = await intervalFor(ports, job);
  const before = (await ports.catalogue.dues()).find((one) => one.job === job.name);
  if (before?.interval !== every) await scheduleNext(ports, job);
}
