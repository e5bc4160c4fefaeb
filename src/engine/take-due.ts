import type { JobName } from "../domain/job.ts";
import { Fault } from "../faults/fault.ts";
import { findJob } from "./find-job.ts";
import { withJobLease } from "./lease.ts";
import { noteMissed } from "./note-missed.ts";
import type { Ports } from "./ports.ts";
import { takeLeased, type TakeReport } from "./take.ts";

/**
 * The take that the schedule asks for. It waits for what the service does unasked on the job (retention, a nightly verify), however long,
 * and is late then; one that finds anything else at work on it is not doubled, and counts as missed; one that was set going just before
 * the job was stopped or retired is not made.
 * Faults: those of take.
 */
export async function takeDue(ports: Ports, name: JobName): Promise<TakeReport> {
  try {
    return await withJobLease(ports, name, "take", async () => {
      const { intent } = await findJob(ports, name);
      if (intent !== "run") throw Fault.of("not-running", { job: name, state: intent });
      return takeLeased(ports, name);
    });
  } catch (error) {
    if (error instanceof Fault && error.code === "busy")
      await noteMissed(ports, name, { count: 1, code: error.code, message: error.message });
    throw error;
  }
}
