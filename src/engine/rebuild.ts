import type { Generation } from "../domain/generation.ts";
import type { Job, JobName } from "../domain/job.ts";
import type { Run } from "../domain/run.ts";
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
 * old content. What the vault does not keep (leases, attempts) is gone.
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
  const damaged = generations
    .filter((generation) => generation.state === "damaged")
    .map(({ job, number, reason }) => ({ job, number, why: reason }));
  return { jobs: jobs.length, runs: runs.length, generations: generations.length, damaged };
}
