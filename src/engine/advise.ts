import { adviseOn, type Advice } from "../domain/advice.ts";
import type { Job, JobName } from "../domain/job.ts";
import { findJob } from "./find-job.ts";
import { intervalFor } from "./interval.ts";
import type { Ports } from "./ports.ts";

/** How often a generation of the job is worth it, and why. Changes nothing. Fault: `job-unknown`. */
export async function advise(ports: Ports, name: JobName): Promise<Advice & { readonly job: Job }> {
  const job = await findJob(ports, name);
  const due = (await ports.catalogue.dues()).find((one) => one.job === name);
  const plan = await intervalFor(ports, job);
  return { job, ...adviseOn(plan, job.schedule, due?.interval ?? null, ports.interval) };
}
