import type { JobName } from "../domain/job.ts";
import { Fault } from "../faults/fault.ts";
import { drill, type DrillReport } from "./drill.ts";
import type { Ports } from "./ports.ts";
import { points } from "./queries.ts";

export type NightReport = {
  readonly done: readonly DrillReport[];
  /** Drills that were refused or failed, and jobs that another was at work on. */
  readonly faults: readonly { readonly job: JobName; readonly fault: Fault }[];
};

/**
 * Drills the newest point of each job that is meant to run, one after the other, unless it is proven already; waits for whoever is at work on the job. One that fails is no reason to
 * leave the others alone.
 */
export async function drillNightly(ports: Ports, resume: number): Promise<NightReport> {
  const done: DrillReport[] = [];
  const faults: NightReport["faults"][number][] = [];
  for (const { name, intent } of await ports.catalogue.jobs()) {
    const newest = (await points(ports, name)).at(-1);
    if (intent !== "run" || !newest || newest.provenAt !== null) continue;
    try {
      done.push(await drill(ports, name, { point: newest.number, resume }, "resuming"));
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      faults.push({ job: name, fault: error });
    }
  }
  return { done, faults };
}
