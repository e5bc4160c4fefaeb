import { chainBelow } from "../domain/chain-below.ts";
import type { JobName } from "../domain/job.ts";
import { isInSlice, type VerifySlice } from "../domain/verify-slice.ts";
import { Fault } from "../faults/fault.ts";
import { type Budget, budgetOf } from "./pace.ts";
import type { Damage, Ports } from "./ports.ts";
import { allGenerations, points } from "./queries.ts";
import { verifyPoints } from "./verify.ts";

const dayMilliseconds = 86_400_000;

export type SliceReport = {
  /** Points that were read back; those they stand on come besides. */
  readonly checked: number;
  readonly damage: readonly { readonly job: JobName; readonly damage: Damage }[];
  /** Jobs that another was at work on: their turn comes again in the next round. */
  readonly busy: readonly JobName[];
};

/**
 * Reads back those points of all jobs whose turn it is today, so that each is read once in a round and damage is known before it is met. What
 * they stand on is read with them; points over one base are read together, each file once. The lease of a job is held for one base with what
 * stands on it at a time: a take waits for that and no longer, and then it is read at full speed. Damage is written down as {@link verifyPoints} does. The first fault but `busy` is
 * thrown when all jobs have been looked at.
 */
export async function verifySlice(ports: Ports, slice: VerifySlice, budget: Budget = budgetOf(0)): Promise<SliceReport> {
  const day = Math.floor(ports.clock.now() / dayMilliseconds);
  const damage: SliceReport["damage"][number][] = [];
  const busy: JobName[] = [];
  let [checked, first]: [number, Fault | null] = [0, null];
  for (const { name } of await ports.catalogue.jobs()) {
    try {
      for (const numbers of await dueIn(ports, name, day, slice)) {
        // Some may have expired meanwhile.
        const found = await verifyPoints(ports, name, numbers, budget);
        checked += found.checked.length;
        damage.push(...found.damage.map((one) => ({ job: name, damage: one })));
      }
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      if (error.code === "busy") busy.push(name);
      else first ??= error;
    }
  }
  if (first !== null) throw first;
  return { checked, damage, busy };
}

/** Numbers of today's points, together that stand on one base. */
async function dueIn(ports: Ports, name: JobName, day: number, slice: VerifySlice): Promise<readonly (readonly number[])[]> {
  const generations = await allGenerations(ports, name);
  const due = (await points(ports, name)).filter((one) => isInSlice(one.id, day, slice)).map((one) => one.number);
  return [...Map.groupBy(due, (number) => chainBelow(number, generations).at(-1)).values()];
}
