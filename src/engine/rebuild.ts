import type { Generation } from "../domain/generation.ts";
import type { Job, JobName } from "../domain/job.ts";
import type { Run } from "../domain/run.ts";
import { nextDue } from "../domain/schedule.ts";
import { Fault } from "../faults/fault.ts";
import { generationOf } from "./generation-of.ts";
import type { Ports, Vault } from "./ports.ts";

export type RebuildReport = {
  readonly jobs: number;
  readonly runs: number;
  readonly generations: number;
  readonly damaged: readonly { readonly job: string; readonly number: number; readonly why: string }[];
  /** Folders of jobs that were passed over, since their small files cannot be read or are those of another job. */
  readonly unread: readonly { readonly job: string; readonly why: string }[];
};

/**
 * The catalogue from the vault alone: jobs, runs, every sealed generation and what was said of it. One transaction; a crash leaves the
 * old content. What the vault does not keep (attempts) is gone; when the next generation falls due is told from the newest one.
 * A job whose files are damaged is no reason to leave the others out. Faults: `key-unusable`, `vault-newer`; nothing is changed then.
 */
export async function rebuild(ports: Pick<Ports, "vault" | "catalogue">): Promise<RebuildReport> {
  const { vault, catalogue } = ports;
  const jobs: Job[] = [];
  const runs: { job: JobName; run: Run }[] = [];
  const generations: Generation[] = [];
  const unread: { job: string; why: string }[] = [];
  for (const name of await vault.jobNames()) {
    try {
      const content = await contentOf(vault, name);
      if (content === null) continue;
      jobs.push(content.job);
      runs.push(...content.runs.map((run) => ({ job: name, run })));
      generations.push(...content.generations);
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== "vault-file-damaged") throw error;
      unread.push({ job: name, why: error.message });
    }
  }
  await catalogue.replaceAll({ jobs, runs, generations });
  for (const job of jobs) {
    // An interval that is planned is not known before the next take: the service gives it a due time at its next look.
    if (!job.schedule || job.schedule.type === "auto") continue;
    const taken = generations.filter((one) => one.job === job.name).map((one) => one.takenAt);
    const started = runs.filter((one) => one.job === job.name).map((one) => one.run.startedAt);
    const last = Math.max(job.createdAt, ...taken, ...started);
    await catalogue.putDue({ job: job.name, due: nextDue(job.schedule, last, job.name), lastAttemptAt: null });
  }
  const damaged = generations
    .filter((generation) => generation.state === "damaged")
    .map(({ job, number, reason }) => ({ job, number, why: reason }));
  return { jobs: jobs.length, runs: runs.length, generations: generations.length, damaged, unread };
}

async function contentOf(vault: Vault, name: JobName) {
  const job = await vault.readJob(name);
  if (!job) return null;
  const [runs, marks] = [await vault.runs(name), await vault.readMarks(name)];
  const generations: Generation[] = [];
  for (const number of await vault.sealed(name)) generations.push(await generationOf(vault, name, number, marks));
  return { job, runs, generations };
}
