import { exposureLimitNow, workAtRisk } from "../domain/exposure.ts";
import type { Generation } from "../domain/generation.ts";
import type { Job, JobName, JobState } from "../domain/job.ts";
import { restorePoints } from "../domain/restorable.ts";
import type { Run } from "../domain/run.ts";
import { findJob } from "./find-job.ts";
import { observe } from "./observe.ts";
import type { Attempt, Due, Ports } from "./ports.ts";
import { standing, type Standing } from "./standing.ts";

/** One line of `status`. */
export type JobStatus = {
  readonly job: Job;
  readonly state: JobState;
  readonly run: Run | null;
  /** Work at risk: seconds since the newest restore point of a running job, or since it began; `null` if it does not run. */
  readonly exposureSeconds: number | null;
  /** The limit of the job as it is now, milliseconds; `null`: none. */
  readonly exposureLimit: number | null;
  readonly exposureOver: boolean;
  readonly newest: Generation | null;
  readonly points: number;
  readonly bytes: number;
  /** Generations found damaged; and points that are offered no more, because they stand on one of these or on one that is gone. */
  readonly damaged: readonly number[];
  readonly lost: readonly number[];
  readonly nextDue: number | null;
  /** What is planned now where the schedule is `auto`, milliseconds. */
  readonly interval: number | null;
  /** Why the newest take failed; `null` if it did not. */
  readonly lastFault: Attempt | null;
  /** Generations that fell due and were not taken, within the last thousand attempts. */
  readonly missed: number;
};

/** All jobs, or the one asked for. Fault: `job-unknown`. */
export async function status(ports: Ports, name: JobName | null): Promise<readonly JobStatus[]> {
  const jobs = name === null ? await ports.catalogue.jobs() : [await findJob(ports, name)];
  const dues = new Map((await ports.catalogue.dues()).map((due) => [due.job, due]));
  return Promise.all(jobs.map((job) => statusOf(ports, job, dues.get(job.name) ?? null)));
}

async function statusOf(ports: Ports, job: Job, due: Due | null): Promise<JobStatus> {
  const { state, run } = await observe(ports, job);
  const generations = await standing(ports, job.name);
  const offered = restorePoints(generations.present);
  const newest = offered.at(-1) ?? null;
  const { newestMade: tried, missed } = await ports.catalogue.attemptsInAll(job.name);
  const exposure = state === "running" && run ? workAtRisk(run, newest, ports.clock.now()) : null;
  const interval = job.schedule?.type === "auto" ? (due?.interval ?? null) : null;
  const limit = exposureLimitNow(job, interval);
  return {
    job,
    state,
    run,
    exposureSeconds: exposure === null ? null : exposure / 1000,
    exposureLimit: limit,
    exposureOver: exposure !== null && limit !== null && exposure > limit,
    newest,
    points: offered.length,
    bytes: offered.reduce((sum, point) => sum + point.bytes, 0),
    ...lossesOf(generations, offered),
    nextDue: state === "running" && job.schedule !== null ? (due?.due ?? null) : null,
    interval,
    lastFault: tried?.outcome === "failed" ? tried : null,
    missed,
  };
}

function lossesOf({ present, missing }: Standing, offered: readonly Generation[]): Pick<JobStatus, "damaged" | "lost"> {
  const rows = [...present, ...missing].toSorted((a, b) => a.number - b.number);
  const isOffered = new Set(offered.map(({ number }) => number));
  return {
    damaged: rows.filter(({ state }) => state === "damaged").map(({ number }) => number),
    lost: rows.filter(({ state, number }) => state === "sealed" && !isOffered.has(number)).map(({ number }) => number),
  };
}

/** L1: what may be offered now, oldest first. The vault is asked too: a directory that was taken away is not a point. */
export async function points(ports: Ports, name: JobName): Promise<readonly Generation[]> {
  return restorePoints((await standing(ports, name)).present);
}

/** Every generation the catalogue knows, with its state: for `points --all`. */
export async function allGenerations(ports: Ports, name: JobName): Promise<readonly Generation[]> {
  return ports.catalogue.generations(name);
}

export async function newestPoint(ports: Ports, name: JobName): Promise<Generation | null> {
  return (await points(ports, name)).at(-1) ?? null;
}
