import type { Generation } from "../domain/generation.ts";
import type { JobName } from "../domain/job.ts";
import { soundNumbers } from "../domain/restorable.ts";
import { findJob } from "./find-job.ts";
import { withJobLease } from "./lease.ts";
import type { Ports } from "./ports.ts";
import { reconcile } from "./reconcile.ts";
import { dropMarks, withdraw } from "./withdraw.ts";

export type GiveUpReport = {
  readonly given: readonly { readonly number: number; readonly why: string }[];
  /** Damaged ones that are held, and what these stand on. */
  readonly held: readonly number[];
  /** `false`: it was only asked what would happen. */
  readonly done: boolean;
};

/**
 * Gives up what no restore can use any more: damaged generations, and those that stand on one. Only when a person asks for it: damage is
 * never deleted by itself, so that a repair (a disk that comes back, a copy of the vault) finds it. No sound generation stands on one of
 * these, so none is touched. Held ones, and what these stand on, stay. A crash in the middle leaves some; the next try goes on.
 * Faults: `job-unknown`, `busy`, `vault-unwritable`.
 */
export async function giveUpDamaged(ports: Ports, name: JobName, how: "plan" | "perform"): Promise<GiveUpReport> {
  await findJob(ports, name);
  if (how === "plan") return { ...plan(await ports.catalogue.generations(name)), done: false };
  return withJobLease(ports, name, "expire", async () => {
    await reconcile(ports, await findJob(ports, name));
    const { given, held } = plan(await ports.catalogue.generations(name));
    const reasons = given.map(({ number, why }) => ({ number, reason: `given up: ${why}` }));
    await withdraw(ports, name, reasons);
    const present = new Set(await ports.vault.sealed(name));
    // Newest first: nothing ever stands on what is gone.
    for (const { number } of given.toReversed()) if (present.has(number)) await ports.vault.remove(name, number);
    await dropMarks(ports, name);
    return { given, held, done: true };
  });
}

function plan(rows: readonly Generation[]): Pick<GiveUpReport, "given" | "held"> {
  const sound = soundNumbers(rows);
  const hurt = rows.filter((one) => one.state !== "expired" && !sound.has(one.number));
  const parents = new Map(rows.map(({ number, parent }) => [number, parent]));
  const kept = new Set<number>();
  for (const { number, held } of hurt) {
    for (let at: number | null = held ? number : null; at !== null && !kept.has(at); at = parents.get(at) ?? null) kept.add(at);
  }
  const why = (one: Generation): string =>
    one.state === "damaged" ? one.reason : `stands on #${one.parent}, which is damaged or gone`;
  return {
    given: hurt.filter(({ number }) => !kept.has(number)).map((one) => ({ number: one.number, why: why(one) })),
    held: hurt.filter(({ number }) => kept.has(number)).map(({ number }) => number),
  };
}
