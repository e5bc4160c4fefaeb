import type { JobName } from "../domain/job.ts";
import { isInSlice, type VerifySlice } from "../domain/verify-slice.ts";
import { Fault } from "../faults/fault.ts";
import type { Damage, Ports } from "./ports.ts";
import { points } from "./queries.ts";
import { verify } from "./verify.ts";

const dayMilliseconds = 86_400_000;

export type SliceReport = {
  /** Points whose chains were read back. */
  readonly checked: number;
  readonly damage: readonly { readonly job: JobName; readonly damage: Damage }[];
  /** Jobs that another was at work on: their turn comes again in the next round. */
  readonly busy: readonly JobName[];
};

/**
 * Reads back those points of all jobs whose turn it is today, so that each is read once in a round and damage is known before it is met. A
 * point's chain is read with it; one that another of today's stands on is not read twice. The lease of a job is held for one chain at a
 * time, so that a take waits for that and no longer. Damage is written down as {@link verify} does. The first fault but `busy` is thrown
 * when all jobs have been looked at.
 */
export async function verifySlice(ports: Ports, slice: VerifySlice): Promise<SliceReport> {
  const day = Math.floor(ports.clock.now() / dayMilliseconds);
  const damage: SliceReport["damage"][number][] = [];
  const busy: JobName[] = [];
  let [checked, first]: [number, Fault | null] = [0, null];
  for (const { name } of await ports.catalogue.jobs()) {
    try {
      for (const number of await dueIn(ports, name, day, slice)) {
        // Expired meanwhile, or standing on what was just found damaged.
        if (!(await points(ports, name)).some((one) => one.number === number)) continue;
        const found = await verify(ports, name, number);
        checked += 1;
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

async function dueIn(ports: Ports, name: JobName, day: number, slice: VerifySlice): Promise<readonly number[]> {
  const offered = await points(ports, name);
  const parents = new Map(offered.map((one) => [one.number, one.parent]));
  const due = offered.filter((one) => isInSlice(one.id, day, slice)).map((one) => one.number);
  const below = new Set<number>();
  for (const number of due) {
    for (let at = parents.get(number) ?? null; at !== null && !below.has(at); at = parents.get(at) ?? null) below.add(at);
  }
  return due.filter((number) => !below.has(number));
}
