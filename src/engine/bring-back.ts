import type { Generation } from "../domain/generation.ts";
import type { Job } from "../domain/job.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { Beginning, Run } from "../domain/run.ts";
import { Fault } from "../faults/fault.ts";
import { mark } from "./mark.ts";
import type { Launched, Ports, PutBackReport } from "./ports.ts";
import { laterUndo, withPoint } from "./preflight.ts";
import { scheduleNext } from "./schedule.ts";

export type BroughtBack = {
  readonly point: Generation;
  readonly run: Run;
  readonly putBack: PutBackReport;
  readonly milliseconds: number;
};

/**
 * Brings a job that does not run back to one point: pre-flight, undo copy, files, CRIU under a new init. The caller holds the job's lease.
 *
 * What a person asked for proves the point at once; what the service did is judged when the job has lived for a while. A failure leaves the
 * files as they were. A crash in the middle leaves a run folder without a record, and in it what was begun: see `reconcile`.
 * Faults: those of `preflight` and of putting files back, `restore-failed`, `restore-raced` (twice),
 * `restore-timeout`.
 */
export async function bringBack(ports: Ports, job: Job, point: Generation, by: Beginning["by"]): Promise<BroughtBack> {
  try {
    return await bringBackOnce(ports, job, point, by);
  } catch (error) {
    // A matter of a moment: some process of the job was about to end.
    if (!(error instanceof Fault) || error.code !== "restore-raced") throw error;
    ports.events.emit({ type: "notice", job: job.name, text: `${error.message}; once more` });
    return bringBackOnce(ports, job, point, by);
  }
}

async function bringBackOnce(ports: Ports, job: Job, point: Generation, by: Beginning["by"]): Promise<BroughtBack> {
  const { vault, files, clock, events } = ports;
  const began = clock.monotonic();
  const say = (phase: string) => events.emit({ type: "phase", verb: "restore", job: job.name, phase });
  say("pre-flight");
  return withPoint(ports, job, point, async (manifest, folder) => {
    const number = 1 + Math.max(0, ...(await vault.runs(job.name)).map((run) => run.number));
    const runFolder = await vault.runFolder(job.name, number);
    const undoFolder = vault.undoFolder(job.name, number);
    await vault.writeBeginning(job.name, number, { from: point.number, at: clock.now(), by });
    try {
      say("files");
      const putBack = await files.putBack(manifest.capture, folder, undoFolder, await laterUndo(ports, job, point));
      say("memory");
      const launched = await startAgain(ports, job, { manifest, folder }, runFolder, number);
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
      const milliseconds = clock.monotonic() - began;
      if (by === "person") await prove(ports, job, point, milliseconds);
      return { point, run, putBack, milliseconds };
    } catch (error) {
      // What came to life before the failure must not run on while its files are put back under it.
      await ports.launcher.abandon(runFolder);
      await files.undo(undoFolder);
      await vault.removeRunFolder(job.name, number);
      throw error;
    }
  });
}

/**
 * The job runs again: that this cannot be written down is no reason to end it. A point that had failed before is offered again.
 */
async function prove(ports: Ports, job: Job, point: Generation, milliseconds: number): Promise<void> {
  await softly(ports, job, `point ${point.number} came back, but is not marked proven`, async () => {
    const { reason } = await ports.vault.manifest(job.name, point.number);
    const again = point.state === "failed" ? ({ state: "sealed", reason } as const) : {};
    const provenMilliseconds = Math.round(milliseconds);
    await mark(ports, job.name, point.number, { ...again, provenAt: ports.clock.now(), provenMilliseconds });
  });
}

type Images = { readonly manifest: Manifest; readonly folder: string };

async function startAgain(
  ports: Ports,
  job: Job,
  { manifest, folder: images }: Images,
  runFolder: string,
  run: number,
): Promise<Launched> {
  const pidfile = `${runFolder}/pidfile`;
  const log = await ports.vault.logFile(job.name, `restore-${run}.log`);
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

/** The row of the run last of all: while a write may still fail and be undone, the catalogue must not know of it. */
async function recordRun(ports: Ports, job: Job, run: Run): Promise<void> {
  const { vault, catalogue } = ports;
  const head = await vault.readHead(job.name);
  await vault.writeHead(job.name, { ...head, bits: { type: "unknown", why: `the job was restored from point ${run.from}` } });
  const meant: Job = { ...job, intent: "run" };
  const isNew = job.intent !== "run";
  try {
    await vault.writeRun(job.name, run);
    if (isNew) await vault.writeJob(meant);
    if (isNew) await catalogue.putJob(meant);
    await catalogue.putRun(job.name, run);
  } catch (error) {
    if (isNew) await softly(ports, job, "it still counts as meant to run", () => writeAgain(ports, job));
    throw error;
  }
  await softly(ports, job, "it runs again, and its next take is not scheduled yet", () => scheduleNext(ports, meant));
}

async function writeAgain({ vault, catalogue }: Ports, job: Job): Promise<void> {
  await vault.writeJob(job);
  await catalogue.putJob(job);
}

/** For what must not decide over a restore: a fault is a notice. */
async function softly(ports: Ports, job: Job, otherwise: string, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    ports.events.emit({ type: "notice", job: job.name, text: `${otherwise}: ${error.message}` });
  }
}
