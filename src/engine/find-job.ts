import type { Job, JobName } from "../domain/job.ts";
import { Fault } from "../faults/fault.ts";
import type { Ports } from "./ports.ts";

/** The job of that name. Fault: `job-unknown`. */
export async function findJob(ports: Ports, name: JobName): Promise<Job> {
  const job = await ports.catalogue.job(name);
  if (!job) throw Fault.of("job-unknown", { job: name });
  return job;
}
