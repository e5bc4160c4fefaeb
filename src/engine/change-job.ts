import type { Job, JobName } from "../domain/job.ts";
import { allowDedup } from "./allow-dedup.ts";
import { findJob } from "./find-job.ts";
import { withJobLease } from "./lease.ts";
import type { Ports } from "./ports.ts";

/** Changes what the user asked for, in the vault first. Faults: `job-unknown`, `busy`, those of {@link allowDedup}. */
export async function changeJob(ports: Ports, name: JobName, change: (job: Job) => Job): Promise<Job> {
  await findJob(ports, name);
  return withJobLease(ports, name, "change", async () => {
    const changed = change(await findJob(ports, name));
    await allowDedup(ports, changed);
    await ports.vault.writeJob(changed);
    await ports.catalogue.putJob(changed);
    return changed;
  });
}
