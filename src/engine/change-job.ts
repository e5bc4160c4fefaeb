import type { Job, JobName } from "../domain/job.ts";
import { allowDedup } from "./allow-dedup.ts";
import { findJob } from "./find-job.ts";
import { withJobLease } from "./lease.ts";
import type { Ports } from "./ports.ts";
import { scheduleNext } from "./schedule.ts";

/** Changes what the user asked for, in the vault first; a changed schedule holds from now. Faults: `job-unknown`, `busy`, those of {@link allowDedup}. */
export async function changeJob(ports: Ports, name: JobName, change: (job: Job) => Job): Promise<Job> {
  await findJob(ports, name);
  return withJobLease(ports, name, "change", async () => {
    const job = await findJob(ports, name);
    const changed = change(job);
    await allowDedup(ports, changed);
    await ports.vault.writeJob(changed);
    await ports.catalogue.putJob(changed);
    if (changed.schedule !== job.schedule) await scheduleNext(ports, changed);
    return changed;
  });
}
