import type { Generation } from "../domain/generation.ts";
import type { JobName } from "../domain/job.ts";
import { Fault } from "../faults/fault.ts";
import { findJob } from "./find-job.ts";
import type { PageUse, Ports } from "./ports.ts";
import { allGenerations } from "./queries.ts";

/** What one generation takes, in bytes. `null`: its chain cannot be read, and `why` says what is wrong with it. */
export type GenerationUse = {
  readonly generation: Generation;
  /** All its files, captured ones included. */
  readonly own: number;
  /** Pages it reads from the generations it stands on. */
  readonly shared: number | null;
  /** What the disk gets back if it expires: its own bytes but for the pages that those standing on it read and then take over. */
  readonly frees: number | null;
  readonly why: string | null;
};

export type DiskUse = { readonly job: JobName; readonly bytes: number; readonly generations: readonly GenerationUse[] };

/**
 * What the generations of a job take in the vault, oldest first, those included that are offered no more. Reads manifests and pagemaps, takes
 * no lease and changes nothing. Fault: `job-unknown`.
 */
export async function diskUse(ports: Ports, name: JobName): Promise<DiskUse> {
  await findJob(ports, name);
  const present = new Set(await ports.vault.sealed(name));
  const rows = (await allGenerations(ports, name)).filter((row) => present.has(row.number));
  const uses = new Map<number, PageUse | Fault>();
  for (const { number } of rows) uses.set(number, await ports.vault.pageUse(name, number).catch(asFault));
  const generations = rows.map((row) => useOf(row, rows, uses));
  return { job: name, bytes: generations.reduce((sum, { own }) => sum + own, 0), generations };
}

function useOf(row: Generation, rows: readonly Generation[], uses: ReadonlyMap<number, PageUse | Fault>): GenerationUse {
  const standing = rows.filter(({ parent }) => parent === row.number).map(({ number }) => uses.get(number));
  const takenOver = standing.map((use) => (use === undefined || use instanceof Fault ? null : (use.get(row.number) ?? 0)));
  const own = uses.get(row.number);
  const isRead = own !== undefined && !(own instanceof Fault);
  return {
    generation: row,
    own: row.bytes,
    shared: isRead ? [...own].reduce((sum, [holder, bytes]) => sum + (holder === row.number ? 0 : bytes), 0) : null,
    frees: takenOver.reduce<number | null>((rest, bytes) => (rest === null || bytes === null ? null : rest - bytes), row.bytes),
    why: own instanceof Fault ? own.message : null,
  };
}

/** A generation whose chain cannot be read is shown as that, among the others. */
function asFault(error: unknown): Fault {
  if (error instanceof Fault) return error;
  throw error;
}
