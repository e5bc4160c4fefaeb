import type { Generation } from "../domain/generation.ts";
import type { Job } from "../domain/job.ts";
import { workSince } from "../domain/lineage.ts";
import { planRecovery, type RecoveryFacts, type RecoveryPlan, type RecoverRules } from "../domain/plan-recovery.ts";
import { restorePoints } from "../domain/restorable.ts";
import type { Run } from "../domain/run.ts";
import { observe } from "./observe.ts";
import type { Ports } from "./ports.ts";
import { standing } from "./standing.ts";

/** What the service will do about a job, with the work that is lost by going back to the point. Plain reading. */
export async function recoveryOf(
  ports: Ports,
  job: Job,
  rules: RecoverRules,
): Promise<RecoveryPlan & { readonly lost: number | null }> {
  const { state, run } = await observe(ports, job);
  if (job.intent !== "run" || (state !== "crashed" && state !== "failed")) return { type: "none", lost: null };
  const runs = [...(await ports.catalogue.runs(job.name)).slice(0, -1), ...(run ? [run] : [])];
  const { present } = await standing(ports, job.name);
  const generations = [...present, ...(await origins(ports, job, runs, present))];
  const facts: RecoveryFacts = {
    job,
    state,
    runs,
    by: run && run.from !== null ? ((await ports.vault.readBeginning(job.name, run.number))?.by ?? null) : null,
    generations,
    points: restorePoints(present),
    // A try may have two rows: it came back, and died again.
    tries: await ports.catalogue.recoveries(job.name, 2 * rules.attempts + 2),
    bootId: ports.host.bootId(),
  };
  const plan = planRecovery(facts, rules, ports.clock.now());
  const point = plan.type === "restore" ? generations.find((one) => one.number === plan.point) : undefined;
  return { ...plan, lost: point ? workSince(point, runs, generations) : null };
}

/** The generations that runs came from and whose directories are gone: by them alone one knows which run came from which. */
async function origins(
  ports: Ports,
  job: Job,
  runs: readonly Run[],
  present: readonly Generation[],
): Promise<readonly Generation[]> {
  const known = new Set(present.map((one) => one.number));
  const numbers = new Set(runs.flatMap(({ from }) => (from === null || known.has(from) ? [] : [from])));
  const rows: Generation[] = [];
  for (const number of numbers) {
    const row = await ports.catalogue.generation(job.name, number);
    if (row) rows.push(row);
  }
  return rows;
}
