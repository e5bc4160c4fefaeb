import type { Job } from "../domain/job.ts";
import type { Ports } from "./ports.ts";

/**
 * What the vault has lost of a job's small files and the catalogue still knows is written again: the job, its runs, and the highest number in
 * use. A run that is known was not cut off: without its record the files it works on would be put back as they were before it. And a vault
 * that is older than the catalogue (a copy of another day) must not be believed about the dirty bits. Gives sentences; reads alone on an ordinary day.
 */
export async function keepRecords({ vault, catalogue }: Ports, job: Job): Promise<readonly string[]> {
  const repairs: string[] = [];
  if ((await vault.readJob(job.name)) === null) {
    await vault.writeJob(job);
    repairs.push("wrote job.json again, which the vault had lost");
  }
  const kept = new Set((await vault.runs(job.name)).map((run) => run.number));
  for (const run of await catalogue.runs(job.name)) {
    if (kept.has(run.number)) continue;
    await vault.writeRun(job.name, run);
    repairs.push(`wrote down run ${run.number} again, which the vault had lost`);
  }
  const newest = (await catalogue.generations(job.name)).at(-1)?.number ?? 0;
  const { lastNumber } = await vault.readHead(job.name);
  if (newest > lastNumber) {
    const why = `the vault is older than generation ${newest}, which the catalogue knows`;
    await vault.writeHead(job.name, { lastNumber: newest, bits: { type: "unknown", why } });
    repairs.push(`no number up to ${newest} is used again: ${why}`);
  }
  return repairs;
}
