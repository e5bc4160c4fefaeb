import type { Job, JobName } from "../domain/job.ts";
import type { Run } from "../domain/run.ts";
import { Fault } from "../faults/fault.ts";
import { endRun } from "./end-run.ts";
import { findJob } from "./find-job.ts";
import { withJobLease } from "./lease.ts";
import type { Ports } from "./ports.ts";
import { reconcile } from "./reconcile.ts";
import { takeLeased, type TakeReport } from "./take.ts";

export type StopRequest = { readonly last: "take" | "no-take"; readonly how: "ask" | "kill" };

export type StopReport = { readonly run: Run; readonly take: TakeReport | null };

/**
 * Takes a last generation and ends the job; it stays in the catalogue, to be resumed.
 * If the last take fails the job is left running: nothing that was computed is thrown away unasked.
 * Faults: `job-unknown`, `busy`, `not-running`, `stop-timeout` and those of take.
 */
export async function stop(ports: Ports, name: JobName, request: StopRequest): Promise<StopReport> {
  await findJob(ports, name);
  return withJobLease(ports, name, "stop", async () => {
    const job = await findJob(ports, name);
    const { run, state } = (await reconcile(ports, job)).observation;
    if (!run || state !== "running") throw Fault.of("not-running", { job: name, state });
    const taken = request.last === "take" ? await takeLeased(ports, name) : null;
    await intend(ports, job, "stopped");
    return { run: await endRun(ports, job, run, request.how), take: taken };
  });
}

/** Writes down what the job is meant to do, in the vault first. */
export async function intend(ports: Ports, job: Job, intent: Job["intent"]): Promise<void> {
  const meant = { ...job, intent };
  await ports.vault.writeJob(meant);
  await ports.catalogue.putJob(meant);
}
