import type { JobName } from "../domain/job.ts";
import { choosePoint } from "./choose-point.ts";
import { findJob } from "./find-job.ts";
import { withJobLease } from "./lease.ts";
import { mark } from "./mark.ts";
import type { Damage, Ports } from "./ports.ts";
import { points } from "./queries.ts";
import { reconcile } from "./reconcile.ts";

export type VerifyReport = { readonly job: JobName; readonly checked: readonly number[]; readonly damage: readonly Damage[] };

/**
 * Reads points back against their manifests, and every page through its chain. Damage is written down: that generation is `damaged`, and what
 * stands on it is offered no more. Nothing is deleted; the next take makes a base.
 * Faults: `job-unknown`, `point-unknown`, `busy`.
 */
export async function verify(ports: Ports, name: JobName, number: number | null): Promise<VerifyReport> {
  await findJob(ports, name);
  return withJobLease(ports, name, "verify", async () => {
    await reconcile(ports, await findJob(ports, name));
    const offered = await points(ports, name);
    const wanted = number === null ? headsOf(offered) : [(await choosePoint(ports, name, { type: "point", number })).number];
    const damage = await readBack(ports, name, wanted);
    return { job: name, checked: number === null ? offered.map((one) => one.number) : [number], damage };
  });
}

/** Reads these points back with their chains, for a caller that holds the job's lease; writes down and gives the damage found. */
export async function readBack(ports: Ports, name: JobName, numbers: readonly number[]): Promise<readonly Damage[]> {
  const damage = new Map<string, Damage>();
  for (const one of numbers) {
    const found = await ports.vault.verifyChain(name, one, (bytes, total) => {
      ports.events.emit({ type: "progress", verb: "verify", job: name, bytes, total });
    });
    for (const part of found) damage.set(`${part.number} ${part.file}`, part);
  }
  for (const { number, file, why } of damage.values())
    await mark(ports, name, number, { state: "damaged", reason: `${file}: ${why}` });
  return [...damage.values()];
}

/** The last of each chain: reading it back reads the whole chain once. */
function headsOf(offered: Awaited<ReturnType<typeof points>>): readonly number[] {
  const parents = new Set(offered.map((one) => one.parent));
  return offered.filter((one) => !parents.has(one.number)).map((one) => one.number);
}
