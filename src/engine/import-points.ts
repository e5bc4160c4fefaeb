import type { Job } from "../domain/job.ts";
import type { Manifest } from "../domain/manifest.ts";
import { type ImportedPoint, type ImportPlan, planImport } from "../domain/plan-import.ts";
import type { Generation } from "../domain/generation.ts";
import type { Run } from "../domain/run.ts";
import { Fault } from "../faults/fault.ts";
import { rowOf } from "./generation-of.ts";
import { withJobLease } from "./lease.ts";
import type { Ports } from "./ports.ts";

export type ImportRequest = {
  readonly folder: string;
  /** What CRIU must be given to bring the dumps back, as it was at the dump: `--tcp-established`, `--shell-job` ... */
  readonly restoreOptions: readonly string[];
};

export type ImportReport = Pick<ImportPlan, "preDumps" | "refused"> & {
  readonly points: readonly { readonly name: string; readonly generation: Generation }[];
  readonly cautions: readonly { readonly name: string; readonly what: string }[];
};

/**
 * Makes a new job of image directories that were made by hand. They are only read: what becomes a point is copied. The job counts as
 * crashed, so that a restore brings it back.
 *
 * A failure leaves nothing. A crash in the middle leaves the job with those points that were brought in, each of them whole: `retire
 * --delete-points` and again. Faults: `name-taken`, `nothing-to-adopt`, `image-malformed`, `vault-full`, `vault-unwritable`, `busy`.
 */
export async function importPoints(ports: Ports, job: Job, request: ImportRequest): Promise<ImportReport> {
  const { vault, catalogue } = ports;
  return withJobLease(ports, job.name, "adopt", async () => {
    if ((await catalogue.job(job.name)) || (await vault.jobNames()).includes(job.name))
      throw Fault.of("name-taken", { job: job.name });
    const found = await vault.findImages(request.folder);
    const plan = planImport(found);
    const run = runOf(plan, request.folder);
    try {
      await vault.writeJob(job);
      await vault.writeHead(job.name, {
        lastNumber: Math.max(...plan.points.map((point) => point.number)),
        bits: { type: "unknown", why: "the points were made by hand and adopted" },
      });
      await vault.writeRun(job.name, run);
      await catalogue.putJob(job);
      await catalogue.putRun(job.name, run);
      const points: { name: string; generation: Generation }[] = [];
      for (const point of plan.points) points.push({ name: point.name, generation: await bringIn(ports, job, request, point) });
      const cautions = found.flatMap((one) => one.cautions.map((what) => ({ name: one.name, what })));
      return { points, cautions, preDumps: plan.preDumps, refused: plan.refused };
    } catch (error) {
      await catalogue.removeJob(job.name);
      await vault.removeJob(job.name);
      throw error;
    }
  });
}

/** A run that is over, of which nothing more is known. Fault: `nothing-to-adopt`. */
function runOf({ points, refused, preDumps }: ImportPlan, dir: string): Run {
  const [first] = points;
  if (first === undefined) throw Fault.of("nothing-to-adopt", { dir, why: whyNothing(refused, preDumps) });
  const times = points.map((point) => point.facts.takenAt);
  const root = { pid: first.facts.rootVpid, startTicks: 0, bootId: unknown };
  return {
    number: 1,
    timeline: 1,
    startedAt: Math.min(...times),
    from: null,
    init: null,
    root,
    rootVpid: first.facts.rootVpid,
    endedAt: Math.max(...times),
    ending: null,
  };
}

function whyNothing(refused: ImportPlan["refused"], preDumps: readonly string[]): string {
  if (refused.length > 0) return refused.map(({ name, why }) => `${name}: ${why}`).join("; ");
  return preDumps.length > 0 ? "there are only pre-dumps" : "there are no CRIU images in it, nor in the folders directly in it";
}

/** Images name neither the CRIU nor the machine that made them. */
const unknown = "unknown";

async function bringIn(ports: Ports, job: Job, request: ImportRequest, point: ImportedPoint): Promise<Generation> {
  const { vault, catalogue, clock, ids, events } = ports;
  const { number, name, parent, facts, chain, parentPlace } = point;
  events.emit({ type: "phase", verb: "adopt", job: job.name, phase: name });
  const below = parent === null ? null : await vault.manifest(job.name, parent);
  const making = await vault.prepare(job.name, number);
  try {
    await vault.bringIn(making, chain, parentPlace);
    const thin = await vault.thin(making, parent, (bytes, total) => {
      events.emit({ type: "progress", verb: "adopt", job: job.name, bytes, total });
    });
    const manifest: Omit<Manifest, "digests"> = {
      format: 1,
      job: job.name,
      number,
      id: ids.random(),
      timeline: 1,
      run: 1,
      kind: below === null ? "base" : "increment",
      parent: below && { number: below.number, id: below.id },
      takenAt: facts.takenAt,
      sealedAt: clock.now(),
      reason: `adopted from ${chain[0] ?? name}`,
      tracking: facts.tracked ? "soft-dirty" : "compare",
      freezeMicros: facts.freezeMicros,
      pages: { scanned: facts.pagesScanned, written: facts.pagesStored, skipped: facts.pagesInParent, kept: thin.pagesKept },
      host: { bootId: unknown, kernel: unknown, hostname: unknown, criu: unknown },
      tree: {
        rootVpid: facts.rootVpid,
        highestPid: thin.highestPid,
        processes: thin.processes,
        residentBytes: (facts.pagesStored + facts.pagesInParent) * 4096,
      },
      restoreOptions: request.restoreOptions,
      findings: ["adopted: the files were not captured"],
      capture: { files: [], folders: [], needed: [] },
    };
    await vault.seal(making, manifest, thin.digests);
    const generation = rowOf({ ...manifest, digests: thin.digests }, {});
    await catalogue.putGeneration(generation);
    return generation;
  } catch (error) {
    await vault.discard(making);
    throw error;
  }
}
