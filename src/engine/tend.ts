import type { JobName, JobState } from "../domain/job.ts";
import { Fault } from "../faults/fault.ts";
import { findJob } from "./find-job.ts";
import { withJobLease } from "./lease.ts";
import { observe } from "./observe.ts";
import type { Ports } from "./ports.ts";
import { reconcile } from "./reconcile.ts";

/**
 * Looks at every job once: writes down the ends of runs and puts right what a crash left. `all`: every job is reconciled with the
 * vault, as at the service's start; `ended`: only those whose run has ended. A job that another process acts on is left for the next
 * time. Gives the runs whose end was written down now. The first fault met is thrown when all jobs have been looked at.
 */
export async function tend(
  ports: Ports,
  which: "all" | "ended",
): Promise<readonly { readonly job: JobName; readonly state: JobState }[]> {
  const ended: { job: JobName; state: JobState }[] = [];
  let first: Fault | null = null;
  if (which === "all") for (const name of await ports.vault.jobNames()) await findJob(ports, name).catch(passOver);
  for (const job of await ports.catalogue.jobs()) {
    const before = (await ports.catalogue.runs(job.name)).at(-1);
    if (which === "ended") {
      if (before && before.endedAt !== null) continue;
      if ((await observe(ports, job)).state === "running") continue;
    }
    try {
      await withJobLease(ports, job.name, "tend", async () => reconcile(ports, job));
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      // One job that cannot be looked after is no reason to leave the others alone.
      if (error.code !== "busy") first ??= error;
      continue;
    }
    const { state, run } = await observe(ports, job);
    if (run?.endedAt !== null && before?.endedAt === null) ended.push({ job: job.name, state });
  }
  if (first !== null) throw first;
  return ended;
}

/** A job whose file is damaged is no reason to leave the others alone; asking for it by name says what is wrong. */
function passOver(error: unknown): void {
  if (!(error instanceof Fault)) throw error;
}
