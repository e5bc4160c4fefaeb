import type { Generation } from "../domain/generation.ts";
import type { Job, JobName } from "../domain/job.ts";
import type { Run } from "../domain/run.ts";
import { nextDue } from "../domain/schedule.ts";
import { generationOf } from "./generation-of.ts";
import type { Ports } from "./ports.ts";

export type RebuildReport = {
  readonly jobs: number;
  readonly runs: number;
  readonly generations: number;
  readonly damaged: readonly { readonly job: string; readonly number: number; readonly why: string }[];
};

/**
 * The catalogue from the vault alone: jobs, runs, every sealed generation and what was said of it. One transaction; a crash leaves the
 * old content. What the vault does not keep (attempts) is gone; when the next generation falls due is told from the newest one.
 */
export async function rebuild(ports: Pick<Ports, "vault" | "catalogue">): Promise<RebuildReport> {
  const { vault, catalogue } = ports;
  const jobs: Job[] = [];
  const runs: { job: JobName; run: Run }[] = [];
  const generations: Generation[] = [];
  for (const name of await vault.jobNames()) {
    const job = await vault.readJob(name);
    if (!job) continue;
    jobs.push(job);
    for (const run of await vault.runs(name)) runs.push({ job: name, run });
    const marks = await vault.readMarks(name);
    for (const number of await vault.sealed(name)) generations.push(await generationOf(vault, name, number, marks));
  }
  await catalogue.replaceAll({ jobs, runs, generations });
  for (const job of jobs) {
    if (!job.schedule) continue;
    const taken = generations.filter((one) => one.job === job.name).map((one) => one.takenAt);
    const started = runs.filter((one) => one.job === job.name).map((one) => one.run.startedAt);
    const last = Math.max(job.createdAt, ...taken, ...started);
    await catalogue.putDue({ job: job.name, due: nextDue(job.schedule, last, job.name), lastAttemptAt: null });
  }
  const damaged = generations
    .filter((generation) => generation.state === "damaged")
    .map(({ job, number, reason }) => ({ job, number, why: reason }));
  return { jobs: jobs.length, runs: runs.length, generations: generations.length, damaged };
}
