import type { Generation } from "../domain/generation.ts";
import type { Job } from "../domain/job.ts";
import { type PastTake, predictTake } from "../domain/plan-take-all.ts";
import { planTake } from "../domain/plan-take.ts";
import type { Run } from "../domain/run.ts";
import { Fault } from "../faults/fault.ts";
import type { Attempt, Ports } from "./ports.ts";

/** The newest of each kind that a prediction rests on. */
const newestOfKind = 3;

/** How long the job's next take should last, milliseconds; `null` without history. Looks at rows and small files only. */
export async function predict(ports: Ports, job: Job, run: Run): Promise<number | null> {
  const generations = await ports.catalogue.generations(job.name);
  const attempts = await ports.catalogue.attempts(job.name, 200);
  const past: PastTake[] = [];
  for (const kind of ["base", "increment"] as const) {
    for (const one of generations.filter((each) => each.takenAt > 0 && kindTaken(each) === kind).slice(-newestOfKind)) {
      const milliseconds = await lastedFor(ports, one, attempts);
      if (milliseconds !== null) past.push({ kind, milliseconds });
    }
  }
  return predictTake(past, await nextKind(ports, job, run, generations));
}

/** A fold makes a base of what was taken as an increment; the pages that CRIU left to its parent still tell. */
function kindTaken(one: Generation): PastTake["kind"] {
  return one.kind === "increment" || one.pages.skipped > 0 ? "increment" : "base";
}

/** As the take itself would choose, were CRIU the same as at the last one. */
async function nextKind(ports: Ports, job: Job, run: Run, generations: readonly Generation[]): Promise<PastTake["kind"]> {
  const { bits } = await ports.vault.readHead(job.name);
  if (bits.type === "unknown") return "base";
  const { criu, tracking } = bits;
  const { maxChain, dedup } = job;
  const restoredFrom = new Set((await ports.catalogue.runs(job.name)).flatMap(({ from }) => from ?? []));
  return planTake({ bits, root: run.root, run: run.number, criu, tracking, maxChain, dedup, restoredFrom, generations }).kind;
}

/**
 * The freeze, and all from then on. Where the note of the take is still there it tells when the take was over; the manifest of a rebuilt
 * catalogue's generation only when its sealing began.
 */
async function lastedFor(ports: Ports, one: Generation, attempts: readonly Attempt[]): Promise<number | null> {
  const noted = attempts.find((each) => each.outcome === "took" && each.point === one.number)?.at;
  const end = noted ?? (await sealedAt(ports, one));
  return end === null ? null : Math.max(0, end - one.takenAt) + one.freezeMicros / 1000;
}

/** `null`: damaged or gone, or brought in by `adopt`, long after it was dumped. */
async function sealedAt(ports: Ports, one: Generation): Promise<number | null> {
  try {
    const { sealedAt: at, host } = await ports.vault.manifest(one.job, one.number);
    return host.bootId === "unknown" ? null : at;
  } catch (error) {
    if (error instanceof Fault) return null;
    throw error;
  }
}
