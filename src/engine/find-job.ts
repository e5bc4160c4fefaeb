import type { Job, JobName } from "../domain/job.ts";
import { Fault } from "../faults/fault.ts";
import type { Ports } from "./ports.ts";

/**
 * The job of that name. One that the vault has and the catalogue lacks (a crash between the two, or a rebuild that began before
 * the job did) is written into the catalogue. Fault: `job-unknown`.
 */
export async function findJob(ports: Ports, name: JobName): Promise<Job> {
  const { catalogue, vault } = ports;
  const listed = await catalogue.job(name);
  if (listed) return listed;
  const job = await vault.readJob(name);
  if (!job) throw Fault.of("job-unknown", { job: name });
  await catalogue.putJob(job);
  for (const run of await vault.runs(name)) await catalogue.putRun(name, run);
  return job;
}
