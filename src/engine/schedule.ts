import type { Job } from "../domain/job.ts";
import { nextDue } from "../domain/schedule.ts";
import type { Ports } from "./ports.ts";

/** Writes down when the job's next generation falls due, counted from now; `null` without a schedule. */
export async function scheduleNext(ports: Ports, job: Job): Promise<number | null> {
  if (!job.schedule) return null;
  const now = ports.clock.now();
  const due = nextDue(job.schedule, now, job.name);
  await ports.catalogue.putDue({ job: job.name, due, lastAttemptAt: now });
  return due;
}
