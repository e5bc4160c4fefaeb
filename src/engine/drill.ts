import { drillMemory, drillRoom, undrillable } from "../domain/drillable.ts";
import type { Generation } from "../domain/generation.ts";
import type { Job, JobName } from "../domain/job.ts";
import type { Manifest } from "../domain/manifest.ts";
import { formatSize } from "../domain/size.ts";
import { Fault } from "../faults/fault.ts";
import { address } from "../images/pagemap.ts";
import { choosePoint } from "./choose-point.ts";
import { findJob } from "./find-job.ts";
import { type Asking, type HeldLease, withJobLease } from "./lease.ts";
import { mark } from "./mark.ts";
import { stillGood } from "./mark-damaged.ts";
import type { Isolated, Launched, PageSample, Ports } from "./ports.ts";
import { laterUndo, withPoint } from "./preflight.ts";
import { reconcile } from "./reconcile.ts";

export type DrillRequest = {
  /** The point; `null`: the newest. */
  readonly point: number | null;
  /** How long it is let run, milliseconds; 0: it stays stopped. */
  readonly resume: number;
};

export type DrillReport = {
  readonly point: Generation;
  readonly provenAt: number;
  readonly processes: number;
  /** Pages compared, and how many they were chosen from. */
  readonly compared: number;
  readonly pages: number;
  /** How long it ran, milliseconds; shorter than asked for if it finished, or somebody else wanted the job. */
  readonly lived: number;
  /** Files under private copies, and their bytes. */
  readonly files: number;
  readonly bytes: number;
  readonly copied: readonly string[];
  readonly readOnly: readonly string[];
  readonly milliseconds: number;
};

const pagesCompared = 256;
const lookMilliseconds = 50;

/**
 * Restores a point into isolation, compares its memory with the images, lets it run, throws it away: the point is proven. The live job, its
 * files, its network and its queues are not touched; the job's lease is held, and given back early if somebody wants it while the copy runs.
 *
 * Memory that is not as the images have it marks the point `failed`, since a restore would go wrong in the same way; any other failure may be
 * the isolation's, and marks nothing. A crash leaves a folder `.drill-N`, and perhaps processes: `reconcile` ends and removes them.
 * Faults: `job-unknown`, `busy`, those of `choosePoint` and `preflight`, `drill-refused`, `drill-failed`, `space-short`.
 */
export async function drill(ports: Ports, name: JobName, request: DrillRequest, asking: Asking = "patient"): Promise<DrillReport> {
  await findJob(ports, name);
  const act = async (held: HeldLease): Promise<DrillReport> => {
    const began = ports.clock.monotonic();
    const job = await findJob(ports, name);
    await reconcile(ports, job);
    const target = request.point === null ? ({ type: "latest" } as const) : ({ type: "point", number: request.point } as const);
    const point = await choosePoint(ports, name, target);
    await requireDrillable(ports, await ports.vault.manifest(name, point.number));
    const { manifest, done } = await withPoint(ports, job, point, async (itsManifest, images) => {
      const task = { job, point, manifest: itsManifest, images, resume: request.resume, held };
      return { manifest: itsManifest, done: await inIsolation(ports, task) };
    });
    const provenAt = await prove(ports, job, point, manifest, ports.clock.monotonic() - began);
    return { point, provenAt, ...done, milliseconds: ports.clock.monotonic() - began };
  };
  return withJobLease(ports, name, "drill", act, asking);
}

type Task = {
  readonly job: Job;
  readonly point: Generation;
  readonly manifest: Manifest;
  /** The point's folder, with all it stands on beside it. */
  readonly images: string;
  readonly resume: number;
  readonly held: HeldLease;
};

type Done = Omit<DrillReport, "point" | "provenAt" | "milliseconds">;

/** Whatever happens, nothing of it is left. */
async function inIsolation(ports: Ports, task: Task): Promise<Done> {
  const { vault, launcher } = ports;
  const { job, point, manifest } = task;
  const folder = await vault.drillFolder(job.name, point.number);
  const runFolder = `${folder}/run`;
  const say = (phase: string) => ports.events.emit({ type: "phase", verb: "drill", job: job.name, phase });
  try {
    const sample = await vault.samplePages(job.name, point.number, pagesCompared, ports.ids.random());
    let places: Pick<Isolated, "copied" | "readOnly"> = { copied: [], readOnly: [] };
    say("restore");
    const launched = await bringBack(ports, task, folder, async (isolated) => {
      say("compare");
      places = { copied: isolated.copied, readOnly: isolated.readOnly };
      await requireSame(ports, task, sample, isolated);
      return task.resume === 0 ? "end" : "resume";
    });
    if (launched) say("live");
    const lived = launched ? await requireLife(ports, task, launched, runFolder) : 0;
    return {
      processes: manifest.tree.processes,
      compared: sample.pages.length,
      pages: sample.total,
      lived,
      files: manifest.capture.files.length,
      bytes: drillRoom(manifest.capture),
      copied: places.copied,
      readOnly: places.readOnly,
    };
  } finally {
    await launcher.abandon(runFolder);
    await vault.removeDrill(job.name, folder);
  }
}

/** What CRIU says is the drill's failure. */
async function bringBack(
  ports: Ports,
  task: Task,
  folder: string,
  whileStopped: Parameters<Ports["isolation"]["bringBack"]>[1],
): Promise<Launched | null> {
  const { job, point, manifest, images } = task;
  const runFolder = `${folder}/run`;
  const [pidfile, log] = [`${runFolder}/pidfile`, `${runFolder}/restore.log`];
  const keepLog = await ports.vault.logFile(job.name, `drill-${point.number}.log`);
  const words = await ports.criu.restoreWords({ images, runFolder, pidfile, log, options: manifest.restoreOptions });
  const request = {
    folder,
    capture: manifest.capture,
    generationFolder: images,
    laterUndo: await laterUndo(ports, job, point),
    keepLog,
    restore: {
      ...{ job: job.name, point: point.number, runFolder, words, pidfile, log },
      ...{ highestPid: manifest.tree.highestPid, timeoutSeconds: ports.limits.restoreTimeoutSeconds },
    },
  };
  try {
    return await ports.isolation.bringBack(request, whileStopped);
  } catch (error) {
    if (!(error instanceof Fault) || (error.code !== "restore-failed" && error.code !== "restore-timeout")) throw error;
    throw failure(task, `${error.message}; the log is ${keepLog}`, error);
  }
}

async function requireSame(ports: Ports, task: Task, { pages, total }: PageSample, isolated: Isolated): Promise<void> {
  const differing = await isolated.differences(pages);
  const [first] = differing;
  if (!first) return;
  const where = `the first at ${address(first.page)} of process ${first.vpid}`;
  const reason = `${differing.length} of ${pages.length} pages compared (of ${total}) were not as the images have them, ${where}`;
  const { name } = task.job;
  await mark(ports, name, task.point.number, { state: "failed", reason, provenAt: null });
  const fault = failure(task, `${reason}; it is not offered any more`).because(await stillGood(ports, name));
  const message = `${fault.message}; ${fault.stillGood}`;
  const at = ports.clock.now();
  await ports.notices.tell({ event: "damaged", job: name, at, point: task.point.number, code: fault.code, message });
  throw fault;
}

/** How long it ran. A job that finishes meanwhile has lived. */
async function requireLife(
  { clock, launcher, processes }: Ports,
  task: Task,
  { root }: Launched,
  runFolder: string,
): Promise<number> {
  const began = clock.monotonic();
  const lived = () => clock.monotonic() - began;
  while (lived() < task.resume) {
    const ending = await launcher.ending(runFolder);
    if (ending?.type === "exited" && ending.status === 0) break;
    if (ending) {
      const how = ending.type === "exited" ? `status ${ending.status}` : `signal ${ending.signal}`;
      throw failure(task, `it ended with ${how} after ${Math.round(lived())} ms`);
    }
    if (!processes.isAlive(root)) {
      // Its init writes the record a moment after the end.
      await clock.sleep(lookMilliseconds);
      if ((await launcher.ending(runFolder)) === null) throw failure(task, `it vanished after ${Math.round(lived())} ms`);
      continue;
    }
    if (await task.held.isWanted()) break;
    await clock.sleep(Math.max(1, Math.min(lookMilliseconds, task.resume - lived())));
  }
  return lived();
}

async function prove(ports: Ports, job: Job, point: Generation, { reason }: Manifest, milliseconds: number): Promise<number> {
  const provenAt = ports.clock.now();
  const again = point.state === "failed" ? ({ state: "sealed", reason } as const) : {};
  await mark(ports, job.name, point.number, { ...again, provenAt, provenMilliseconds: Math.round(milliseconds) });
  return provenAt;
}

/** Refused before anything is read or made, so that neither memory nor disk runs out under the live job. */
async function requireDrillable({ host, vault, limits }: Ports, manifest: Manifest): Promise<void> {
  const { job, number: point } = manifest;
  const why = undrillable(manifest);
  if (why.length > 0) throw Fault.of("drill-refused", { job, point, why: why.join("; ") });
  requireFree("this machine's memory", host.availableMemory(), drillMemory(manifest));
  requireFree(`the vault ${vault.path}`, (await vault.freeSpace()).vault - limits.minFreeBytes, drillRoom(manifest.capture));
}

function requireFree(place: string, free: number, needed: number): void {
  if (free >= needed) return;
  throw Fault.of("space-short", { place, free: formatSize(Math.max(0, free)), needed: formatSize(needed) });
}

function failure({ job, point }: Task, why: string, cause?: unknown): Fault {
  return Fault.of("drill-failed", { job: job.name, point: point.number, why }, cause === undefined ? {} : { cause });
}
