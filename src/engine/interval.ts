import type { Generation } from "../domain/generation.ts";
import { generationCost, type PastCost } from "../domain/generation-cost.ts";
import { learnFailures } from "../domain/failures.ts";
import type { Job, JobName } from "../domain/job.ts";
import { type IntervalPlan, planInterval } from "../domain/plan-interval.ts";
import { Fault } from "../faults/fault.ts";
import type { Ports } from "./ports.ts";

/** The newest of each kind that the cost of the next ones rests on. */
const newestOfKind = 5;
const attemptsLookedAt = 32;

type Needed = Pick<Ports, "catalogue" | "vault" | "clock" | "interval">;

/** What the job's interval should be now, from what its newest generations cost and what became of all jobs' runs. Changes nothing. */
export async function intervalFor(ports: Needed, job: Pick<Job, "name" | "maxChain">): Promise<IntervalPlan> {
  const { catalogue, clock, interval } = ports;
  const runs = [];
  for (const { name } of await catalogue.jobs()) runs.push(...(await catalogue.runs(name)));
  const attempts = (await catalogue.attempts(job.name, attemptsLookedAt)).filter(({ outcome }) => outcome !== "missed");
  const firstTaken = attempts.findIndex(({ outcome }) => outcome === "took");
  const facts = {
    cost: generationCost(await pastCosts(ports, job.name), job.maxChain),
    failures: learnFailures(interval.mtbf, runs, clock.now()),
    failedTakes: firstTaken < 0 ? attempts.length : firstTaken,
  };
  return planInterval(facts, interval);
}

async function pastCosts({ catalogue, vault }: Needed, name: JobName): Promise<readonly PastCost[]> {
  const taken = (await catalogue.generations(name)).filter(({ takenAt }) => takenAt > 0);
  const past: PastCost[] = [];
  for (const kind of ["base", "increment"] as const) {
    for (const one of taken.filter((each) => kindTaken(each) === kind).slice(-newestOfKind)) {
      const cost = await costOf(vault, one);
      if (cost !== null) past.push({ kind, ...cost });
    }
  }
  return past;
}

/** A fold makes a base of what was taken as an increment; the pages that CRIU left to its parent still tell. */
function kindTaken(one: Generation): PastCost["kind"] {
  return one.kind === "increment" || one.pages.skipped > 0 ? "increment" : "base";
}

/** `null`: damaged, gone, or brought in by `adopt`: frozen by another program, perhaps elsewhere. */
async function costOf(vault: Needed["vault"], { job, number }: Generation): Promise<Omit<PastCost, "kind"> | null> {
  try {
    const { freezeMicros, slowdownMicros, takenAt, sealedAt, host } = await vault.manifest(job, number);
    if (host.bootId === "unknown") return null;
    const freeze = freezeMicros / 1000;
    // `takenAt` is told at the end of the freeze, by the hook.
    return { freeze, slowdown: (slowdownMicros ?? 0) / 1000, lasts: freeze + Math.max(0, sealedAt - takenAt) };
  } catch (error) {
    if (error instanceof Fault) return null;
    throw error;
  }
}
