import type { Generation } from "../domain/generation.ts";
import type { Job, JobName } from "../domain/job.ts";
import type { Target } from "../domain/target.ts";
import { Fault } from "../faults/fault.ts";
import { bringBack, type BroughtBack } from "./bring-back.ts";
import { choosePoint } from "./choose-point.ts";
import { endRun } from "./end-run.ts";
import { findJob } from "./find-job.ts";
import { withJobLease } from "./lease.ts";
import { lossSince, noteComeback } from "./note-recovery.ts";
import type { Ports } from "./ports.ts";
import { preflight } from "./preflight.ts";
import { points } from "./queries.ts";
import { reconcile } from "./reconcile.ts";
import { takeLeased } from "./take.ts";

export type RestoreRequest = {
  readonly target: Target;
  /** What to do with a run that still lives: refuse, or end it (after a last generation, or without). */
  readonly running: "refuse" | "replace" | "replace-without-take";
  /** Where to go when CRIU cannot bring the point back: give up, or try the next older one. */
  readonly onFailure: "stop" | "fall-back";
};

export type RestoreReport = BroughtBack & {
  /** Points that were tried before this one, with the reason they did not come back. */
  readonly passedOver: readonly { readonly number: number; readonly why: string }[];
};

/**
 * Brings a job back to a restore point: pre-flight, undo copy, files, CRIU under a new init; a new run on a new timeline, whose
 * first generation will be a base.
 *
 * A failure leaves the files as they were before it. A crash in the middle leaves a run folder without a record; `reconcile`
 * then undoes the files, or writes the run down if it came to life.
 * Faults: `job-unknown`, `busy`, `still-running`, `no-points`, `point-unknown`, `timeline-unknown`, `no-point-before`, `point-damaged`,
 * `chain-broken`, `manifest-forged`, `criu-differs`, `file-changed`, `file-unrestorable`, `space-short`, `restore-failed`, `restore-timeout`.
 */
export async function restore(ports: Ports, name: JobName, request: RestoreRequest): Promise<RestoreReport> {
  await findJob(ports, name);
  return withJobLease(ports, name, "restore", async () => {
    const job = await findJob(ports, name);
    const { observation } = await reconcile(ports, job);
    // A wrong target is refused before anything that runs is touched.
    await choosePoint(ports, name, request.target);
    if (observation.state === "running" && observation.run) {
      if (request.running === "refuse") throw Fault.of("still-running", { job: name, pid: observation.run.root.pid });
      const sound = await firstOf(ports, job, request, async (point) => {
        await preflight(ports, job, point);
        return point.number;
      });
      if (request.running === "replace") await takeLeased(ports, name);
      await endRun(ports, job, observation.run);
      const target = { type: "point", number: sound.value } as const;
      const report = await firstThatComesBack(ports, job, { ...request, target });
      return { ...report, passedOver: [...sound.passedOver, ...report.passedOver] };
    }
    const report = await firstThatComesBack(ports, job, request);
    // A person has brought back what the service could not, or was not to: its tries are counted anew.
    if (observation.state === "crashed" || observation.state === "failed") {
      const { point, run, milliseconds } = report;
      await noteComeback(ports, job, { point, run, lost: await lossSince(ports, job, point, observation.run), milliseconds });
    }
    return report;
  });
}

async function firstThatComesBack(ports: Ports, job: Job, request: RestoreRequest): Promise<RestoreReport> {
  const { value, passedOver } = await firstOf(ports, job, request, async (point) => bringBack(ports, job, point, "person"));
  return { ...value, passedOver };
}

type First<T> = { readonly value: T; readonly passedOver: RestoreReport["passedOver"] };

/** Tries the wanted point and, where that is asked for, the older ones after it, newest first. */
async function firstOf<T>(
  ports: Ports,
  job: Job,
  request: RestoreRequest,
  attempt: (point: Generation) => Promise<T>,
): Promise<First<T>> {
  const passedOver: { number: number; why: string }[] = [];
  let wanted = await choosePoint(ports, job.name, request.target);
  for (;;) {
    try {
      return { value: await attempt(wanted), passedOver };
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      const older = (await points(ports, job.name)).filter((point) => point.number < wanted.number).at(-1);
      error.because(older ? `point #${older.number} is still good` : "there is no older point");
      if (request.onFailure === "stop" || !older) throw error;
      passedOver.push({ number: wanted.number, why: error.message });
      ports.events.emit({
        type: "notice",
        job: job.name,
        text: `point ${wanted.number} did not come back (${error.message}); trying ${older.number}`,
      });
      wanted = older;
    }
  }
}
