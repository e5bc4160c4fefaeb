import type { Generation } from "../domain/generation.ts";
import type { Job, JobName } from "../domain/job.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { Run } from "../domain/run.ts";
import type { Target } from "../domain/target.ts";
import { Fault } from "../faults/fault.ts";
import { choosePoint } from "./choose-point.ts";
import { endRun } from "./end-run.ts";
import { findJob } from "./find-job.ts";
import { withJobLease } from "./lease.ts";
import { mark } from "./mark.ts";
import type { Launched, Ports, PutBackReport } from "./ports.ts";
import { laterUndo, preflight } from "./preflight.ts";
import { points } from "./queries.ts";
import { reconcile } from "./reconcile.ts";
import { scheduleNext } from "./schedule.ts";
import { takeLeased } from "./take.ts";

export type RestoreRequest = {
  readonly target: Target;
  /** What to do with a run that still lives: refuse, or end it (after a last generation, or without). */
  readonly running: "refuse" | "replace" | "replace-without-take";
  /** Where to go when CRIU cannot bring the point back: give up, or try the next older one. */
  readonly onFailure: "stop" | "fall-back";
};

export type RestoreReport = {
  readonly point: Generation;
  readonly run: Run;
  readonly putBack: PutBackReport;
  readonly milliseconds: number;
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
    return firstThatComesBack(ports, job, request);
  });
}

async function firstThatComesBack(ports: Ports, job: Job, request: RestoreRequest): Promise<RestoreReport> {
  const { value, passedOver } = await firstOf(ports, job, request, async (point) => bringBack(ports, job, point));
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

async function bringBack(ports: Ports, job: Job, point: Generation): Promise<Omit<RestoreReport, "passedOver">> {
  const { vault, files, clock, events } = ports;
  const began = clock.monotonic();
  const say = (phase: string) => events.emit({ type: "phase", verb: "restore", job: job.name, phase });
  say("pre-flight");
  const manifest = await preflight(ports, job, point);
  const folder = vault.generationFolder(job.name, point.number);
  const number = 1 + Math.max(0, ...(await vault.runs(job.name)).map((run) => run.number));
  const runFolder = await vault.runFolder(job.name, number);
  const undoFolder = vault.undoFolder(job.name, number);
  try {
    say("files");
    const putBack = await files.putBack(manifest.capture, folder, undoFolder, await laterUndo(ports, job, point));
    say("memory");
    const launched = await startAgain(ports, job, manifest, runFolder, number);
    const run: Run = {
      number,
      timeline: number,
      startedAt: clock.now(),
      from: point.number,
      ...launched,
      endedAt: null,
      ending: null,
    };
    await recordRun(ports, job, run);
    await prove(ports, job, point);
    return { point, run, putBack, milliseconds: clock.monotonic() - began };
  } catch (error) {
    // What came to life before the failure must not run on while its files are put back under it.
    await ports.launcher.abandon(runFolder);
    await files.undo(undoFolder);
    await vault.removeRunFolder(job.name, number);
    throw error;
  }
}

/** The job runs again: that this cannot be written down is no reason to end it. */
async function prove(ports: Ports, job: Job, point: Generation): Promise<void> {
  try {
    await mark(ports, job.name, point.number, { provenAt: ports.clock.now() });
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    ports.events.emit({
      type: "notice",
      job: job.name,
      text: `point ${point.number} came back, but is not marked proven: ${error.message}`,
    });
  }
}

async function startAgain(ports: Ports, job: Job, manifest: Manifest, runFolder: string, run: number): Promise<Launched> {
  const pidfile = `${runFolder}/pidfile`;
  const log = await ports.vault.logFile(job.name, `restore-${run}.log`);
  const images = ports.vault.generationFolder(job.name, manifest.number);
  return ports.launcher.bringBack({
    job: job.name,
    point: manifest.number,
    runFolder,
    words: await ports.criu.restoreWords({ images, runFolder, pidfile, log, options: manifest.restoreOptions }),
    pidfile,
    highestPid: manifest.tree.highestPid,
    log,
    timeoutSeconds: ports.limits.restoreTimeoutSeconds,
  });
}

async function recordRun(ports: Ports, job: Job, run: Run): Promise<void> {
  const { vault, catalogue } = ports;
  const head = await vault.readHead(job.name);
  await vault.writeHead(job.name, { ...head, bits: { type: "unknown", why: `the job was restored from point ${run.from}` } });
  await vault.writeRun(job.name, run);
  await catalogue.putRun(job.name, run);
  const meant: Job = { ...job, intent: "run" };
  await vault.writeJob(meant);
  await catalogue.putJob(meant);
  await scheduleNext(ports, meant);
}
