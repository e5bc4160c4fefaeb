import type { Generation } from "../domain/generation.ts";
import type { Job, JobName } from "../domain/job.ts";
import { blame, type RecoverRules } from "../domain/plan-recovery.ts";
import type { Run } from "../domain/run.ts";
import { Fault } from "../faults/fault.ts";
import { bringBack } from "./bring-back.ts";
import { findJob } from "./find-job.ts";
import { carryOut, judge } from "./judge-comeback.ts";
import { withJobLease } from "./lease.ts";
import { mark } from "./mark.ts";
import { noteComeback, noteRecovery } from "./note-recovery.ts";
import type { Ports } from "./ports.ts";
import { points } from "./queries.ts";
import { reconcile } from "./reconcile.ts";
import { recoveryOf } from "./recovery-of.ts";

export type RecoverReport = {
  readonly point: number;
  /** `null`: this try failed. */
  readonly run: Run | null;
  readonly fault: Fault | null;
  readonly message: string;
  /** Milliseconds of work; `null` if it is not known. */
  readonly lost: number | null;
  readonly milliseconds: number;
};

/**
 * Tries once to bring back a job that has vanished, if one is due (`planRecovery`), and writes down what came of it. `null`: there was nothing to do,
 * or another is at work on the job.
 *
 * The point is proven only when the job has lived for `settle` (`judge`), so that a crash just after it came back makes nothing wrong. A
 * crash in the middle of the restore is found by `reconcile`, and counts as a try.
 */
export async function recover(ports: Ports, name: JobName, rules: RecoverRules): Promise<RecoverReport | null> {
  try {
    await findJob(ports, name);
    return await withJobLease(ports, name, "recover", async () => {
      const job = await findJob(ports, name);
      const { observation } = await reconcile(ports, job);
      const judgement = await judge(ports, job, observation, rules);
      if (judgement) await carryOut(ports, job, observation, judgement);
      const plan = await recoveryOf(ports, job, rules);
      if (plan.type !== "restore" || plan.at > ports.clock.now()) return null;
      const point = (await points(ports, name)).find((one) => one.number === plan.point);
      return point ? await tryPoint(ports, job, point, plan.lost) : null;
    });
  } catch (error) {
    if (error instanceof Fault && error.code === "busy") return null;
    throw error;
  }
}

async function tryPoint(ports: Ports, job: Job, point: Generation, lost: number | null): Promise<RecoverReport> {
  const began = ports.clock.monotonic();
  const said = { job: job.name, point: point.number, lostMilliseconds: lost };
  let run: Run;
  try {
    ({ run } = await bringBack(ports, job, point, "service"));
  } catch (error) {
    const milliseconds = ports.clock.monotonic() - began;
    const { message } = error instanceof Error ? error : new Error(String(error));
    const code = error instanceof Fault ? error.code : null;
    await noteRecovery(ports, { ...said, outcome: "failed", code, message, milliseconds });
    // A bug says nothing of the point; as a row it counts all the same, and so is not met for ever.
    if (!(error instanceof Fault)) throw error;
    if (blame(code) === "failed") await mark(ports, job.name, point.number, { state: "failed", reason: message, provenAt: null });
    return { point: point.number, run: null, fault: error, message, lost, milliseconds };
  }
  const milliseconds = ports.clock.monotonic() - began;
  const message = await noteComeback(ports, job, { point, run, lost, milliseconds });
  return { point: point.number, run, fault: null, message, lost, milliseconds };
}
