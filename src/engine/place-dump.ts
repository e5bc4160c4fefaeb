import { planStaging, type StagingPlan } from "../domain/plan-staging.ts";
import type { TakePlan } from "../domain/plan-take.ts";
import type { Run } from "../domain/run.ts";
import type { TreeFacts } from "../domain/tree.ts";
import type { JobName } from "../domain/job.ts";
import type { CriuFacts, Ports } from "./ports.ts";

/** Staging, or the vault's disk where staging may be too small for this dump; then it is said. */
export async function placeDump(
  ports: Ports,
  job: JobName,
  run: Run,
  { facts, plan, tree }: { readonly facts: CriuFacts; readonly plan: TakePlan; readonly tree: TreeFacts },
): Promise<StagingPlan> {
  const place = await ports.vault.stagingPlace();
  if (place === null) return { where: "vault", why: null };
  const last = (await ports.catalogue.generations(job)).findLast((one) => one.run === run.number);
  const placed = planStaging(place, ports.host.availableMemory(), {
    leavesPages: facts.softDirty && plan.kind === "increment",
    residentBytes: tree.processes.reduce((sum, process) => sum + process.residentBytes, 0),
    pagesWritten: last?.pages.written ?? null,
  });
  if (placed.why !== null) ports.events.emit({ type: "notice", job, text: `dumping to the vault's disk: ${placed.why}` });
  return placed;
}
