import type { Job } from "../domain/job.ts";
import { Fault } from "../faults/fault.ts";
import { isUnread } from "./generation-of.ts";
import type { Ports } from "./ports.ts";

/**
 * What the vault has lost of a job's small files and the catalogue still knows is written again: the job, its runs, and the highest number in
 * use; and so is a run that only the vault knows, of a restore that was cut off between the two. A run that is known was not cut off: without its record the files it works on would be put back as they were before it. And a vault
 * that is older than the catalogue (a copy of another day) must not be believed about the dirty bits. What is there and cannot be read is left
 * as it is: `verify` tells of it. Gives sentences; only reads on an ordinary day. A crash in the middle leaves the rest for the next call.
 */
export async function keepRecords({ vault, catalogue, processes }: Ports, job: Job): Promise<readonly string[]> {
  const repairs: string[] = [];
  const [runs, known] = [await orDamaged(vault.runs(job.name)), await catalogue.runs(job.name)];
  const hasJob = (await orDamaged(vault.readJob(job.name))) !== null;
  const last = known.at(-1);
  const mayGoOn = last !== undefined && last.endedAt === null && processes.isAlive(last.init ?? last.root);
  // Its folder was taken away as a whole: in its place a new one would be in the way when it is put back, unless points are still to come.
  if (!hasJob && !mayGoOn && runs !== "damaged" && runs.length === 0 && (await vault.sealed(job.name)).length === 0) return [];
  if (!hasJob) {
    await vault.writeJob(job);
    repairs.push("wrote job.json again, which the vault had lost");
  }
  for (const run of known) {
    if (runs === "damaged" || runs.some(({ number }) => number === run.number)) continue;
    await vault.writeRun(job.name, run);
    repairs.push(`wrote down run ${run.number} again, which the vault had lost`);
  }
  for (const run of runs === "damaged" ? [] : runs) {
    if (known.some(({ number }) => number === run.number)) continue;
    await catalogue.putRun(job.name, run);
    repairs.push(`listed run ${run.number}, which the catalogue did not know`);
  }
  const newest = (await catalogue.generations(job.name)).filter((row) => !isUnread(row)).at(-1)?.number ?? 0;
  const { lastNumber } = await vault.readHead(job.name);
  if (newest > lastNumber) {
    const why = `the vault is older than generation ${newest}, which the catalogue knows`;
    await vault.writeHead(job.name, { lastNumber: newest, bits: { type: "unknown", why } });
    repairs.push(`no number up to ${newest} is used again: ${why}`);
  }
  return repairs;
}

async function orDamaged<T>(reading: Promise<T>): Promise<T | "damaged"> {
  return reading.catch((error: unknown) => {
    if (error instanceof Fault && error.code === "vault-file-damaged") return "damaged";
    throw error;
  });
}
