import type { Job, JobName } from "../domain/job.ts";
import { Fault } from "../faults/fault.ts";
import { pack, type PackedOne } from "./pack.ts";
import type { Budget } from "./pace.ts";
import type { Ports } from "./ports.ts";

/** `after`: milliseconds. */
export type CompressRules = { readonly mode: "off" | "cold"; readonly after: number };

export type ColdReport = {
  readonly done: readonly (PackedOne & { readonly job: JobName })[];
  /** The first fault of each job that has one. */
  readonly faults: readonly { readonly job: JobName; readonly fault: Fault }[];
};

/**
 * The service's own packing: of one job, or of all (`null`), each as it says itself or else as the settings say. A job that another is at work
 * on is left for the next time, and so is what is left when somebody waits. One job that fails is no reason to leave the others.
 */
export async function packCold(ports: Ports, only: JobName | null, rules: CompressRules, budget: Budget): Promise<ColdReport> {
  const done: ColdReport["done"][number][] = [];
  const faults: ColdReport["faults"][number][] = [];
  for (const job of await ports.catalogue.jobs()) {
    if ((only !== null && job.name !== only) || compressOf(job, rules) === "off") continue;
    try {
      // What is young enough need not wait for a lease.
      const { plan } = await pack(ports, job.name, { point: null, after: rules.after }, "plan");
      if (plan.pack.length === 0) continue;
      const report = await pack(ports, job.name, { point: null, after: rules.after }, "perform", budget);
      done.push(...(report.done ?? []).map((one) => ({ ...one, job: job.name })));
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      if (error.code !== "busy") faults.push({ job: job.name, fault: error });
    }
  }
  return { done, faults };
}

/** What holds for a job. */
export function compressOf(job: Pick<Job, "compress">, rules: Pick<CompressRules, "mode">): CompressRules["mode"] {
  return job.compress ?? rules.mode;
}
