import type { JobName } from "../domain/job.ts";
import type { TakePlan } from "../domain/plan-take.ts";
import { mark } from "./mark.ts";
import type { Ports } from "./ports.ts";

/** Will CRIU's `--auto-dedup` take pages out of the parent while it dumps? */
export function takesPages(plan: TakePlan): plan is TakePlan & { readonly kind: "increment"; readonly dedup: "in-dump" } {
  return plan.kind === "increment" && plan.dedup === "in-dump";
}

/** Withdraws a point whose pages are about to be taken: durable before the first of them is gone. */
export async function giveUp(ports: Ports, job: JobName, number: number, by: number): Promise<void> {
  await mark(ports, job, number, { state: "consumed", reason: `generation ${by} takes its pages (dedup = "in-dump")` });
}

/**
 * Looks at points that were given up for a dump that did not end well: one that no page was taken from is offered again, and one that
 * lost some is not. Gives sentences about the former. Harmless twice; reads such a chain whole, and nothing on an ordinary day.
 */
export async function settleConsumed(ports: Ports, job: JobName): Promise<readonly string[]> {
  const { vault, catalogue } = ports;
  // A criu that outlived its time limit, or its service, may be taking pages still.
  if (await ports.criu.stillDumping(job)) return [];
  const present = new Set(await vault.sealed(job));
  const generations = (await catalogue.generations(job)).filter(({ number }) => present.has(number));
  const repairs: string[] = [];
  for (const one of generations) {
    if (one.state !== "consumed" || generations.some(({ parent }) => parent === one.number)) continue;
    // Once it is written down what was left of it, its digests fit again and say nothing.
    if ((await vault.manifest(job, one.number)).consumed !== undefined) continue;
    if ((await vault.verifyChain(job, one.number, () => undefined)).length > 0) continue;
    await mark(ports, job, one.number, {
      state: "sealed",
      reason: "no page was taken from it; the dump that was to do so did not end well",
    });
    repairs.push(`point ${one.number} is whole and offered again: no page was taken from it`);
  }
  return repairs;
}
