import type { Generation } from "../domain/generation.ts";
import type { JobName } from "../domain/job.ts";
import type { Ports } from "./ports.ts";

/** The generations of a job by what the vault says now, each oldest first. */
export type Standing = {
  /** Their directories are there, whatever the state: a withdrawn one that is not swept yet still carries pages of others. */
  readonly present: readonly Generation[];
  /** Not expired, and their directories are not there. */
  readonly missing: readonly Generation[];
};

/** Reads no rows of what expired long ago, of which a job may have many times as many as of all others. */
export async function standing(ports: Ports, name: JobName): Promise<Standing> {
  const numbers = new Set(await ports.vault.sealed(name));
  const rows = await ports.catalogue.unexpired(name);
  const present = rows.filter((row) => numbers.has(row.number));
  const listed = new Set(present.map((row) => row.number));
  const withdrawn: Generation[] = [];
  for (const number of numbers) {
    // Expired and not swept; what is not in the catalogue at all is `reconcile`'s to find.
    const row = listed.has(number) ? null : await ports.catalogue.generation(name, number);
    if (row) withdrawn.push(row);
  }
  return {
    present: withdrawn.length === 0 ? present : [...present, ...withdrawn].toSorted((a, b) => a.number - b.number),
    missing: rows.filter((row) => !numbers.has(row.number)),
  };
}
