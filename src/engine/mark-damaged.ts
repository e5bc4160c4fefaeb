import type { JobName } from "../domain/job.ts";
import type { Damage, Ports } from "./ports.ts";
import { allGenerations, points } from "./queries.ts";

/**
 * Writes down that generations are damaged: in the vault first, so that a rebuilt catalogue knows it, then in the catalogue. They and what
 * stands on them are offered no more; nothing is deleted, and the next take makes a base. The hook `damaged` is told of each that was not
 * known as damaged; a crash between the writing down and the telling leaves it untold. The caller holds the job's lease.
 */
export async function markDamaged(ports: Ports, job: JobName, damage: readonly Damage[]): Promise<void> {
  if (damage.length === 0) return;
  const reasons = new Map(
    [...Map.groupBy(damage, ({ number }) => number)].map(([number, found]) => [number, reasonOf(found)] as const),
  );
  const before = await ports.vault.readMarks(job);
  const listed = await allGenerations(ports, job);
  const isKnown = (number: number): boolean =>
    before[String(number)]?.state === "damaged" || listed.some((one) => one.number === number && one.state === "damaged");
  const said = [...reasons].map(
    ([number, reason]) => [String(number), { ...before[String(number)], state: "damaged", reason }] as const,
  );
  await ports.vault.writeMarks(job, { ...before, ...Object.fromEntries(said) });
  for (const [number, reason] of reasons) await ports.catalogue.markGeneration(job, number, { state: "damaged", reason });
  for (const [number, reason] of reasons) if (!isKnown(number)) await tellDamaged(ports, job, number, reason);
}

/** Tells the outside of a generation that has just been found damaged, and which point is still good. */
export async function tellDamaged(ports: Ports, job: JobName, number: number, reason: string): Promise<void> {
  await ports.notices.tell({
    event: "damaged",
    job,
    at: ports.clock.now(),
    point: number,
    code: "point-damaged",
    message: `point ${number} is damaged: ${reason}; ${await stillGood(ports, job)}`,
  });
}

/** In words, for whoever was told of damage. */
export async function stillGood(ports: Ports, job: JobName): Promise<string> {
  const good = (await points(ports, job)).at(-1);
  return good ? `newest point still good: #${good.number}` : "no point is left; the next take makes a base";
}

function reasonOf([first, ...others]: readonly Damage[]): string {
  const more = others.length === 0 ? "" : ` (and ${others.length} more ${others.length === 1 ? "file" : "files"})`;
  return `${first?.file}: ${first?.why}${more}`;
}
