import type { Job } from "../domain/job.ts";
import type { Manifest } from "../domain/manifest.ts";
import { isWorthAnother, planPreDump, type PreDumpPlan } from "../domain/plan-pre-dump.ts";
import type { PreDumpMode, PreDumpRound } from "../domain/pre-dump.ts";
import type { TakePlan } from "../domain/plan-take.ts";
import type { Run } from "../domain/run.ts";
import { Fault } from "../faults/fault.ts";
import { takesPages } from "./consumed.ts";
import type { CriuFacts, Making, Ports, PreDumpRequest } from "./ports.ts";

/** `failure`: why the dirty bits are lost to all but a base; then there is nothing to stand on. */
export type PreDumps = {
  readonly rounds: readonly PreDumpRound[];
  /** The newest pre-dump: what the dump stands on; `null`: none was made. */
  readonly folder: string | null;
  readonly failure: string | null;
};

export type PreDumpWork = {
  readonly ports: Ports;
  readonly job: Job;
  readonly run: Run;
  readonly facts: CriuFacts;
  readonly plan: TakePlan;
  readonly making: Making;
};

/**
 * Rounds of pre-dumps before the freeze, while the pages to write get fewer; the job runs between them. The head says "bits unknown" since
 * before the first. A crash leaves folders that are swept; a failure leaves none, and the generation must be a base.
 * Faults: those of a pre-dump.
 */
export async function preDumps(work: PreDumpWork): Promise<PreDumps> {
  const { mode } = await plan(work);
  if (mode === null) return { rounds: [], folder: null, failure: null };
  const { ports, job, making } = work;
  const rounds: PreDumpRound[] = [];
  let folder: string | null = null;
  while (isWorthAnother(rounds)) {
    const round = rounds.length + 1;
    ports.events.emit({ type: "phase", verb: "take", job: job.name, phase: `pre-dump ${round}` });
    const asked = await request(work, mode, round, folder);
    const made = await ports.criu.preDump(asked);
    if (made.type === "failed") {
      await ports.vault.dropPreDumps(making);
      const failure = `a pre-dump of generation ${making.number} failed (${made.why}), so the dirty bits are unknown`;
      ports.events.emit({ type: "notice", job: job.name, text: `${failure}; taking a base; the log is ${made.log}` });
      return { rounds: [], folder: null, failure };
    }
    rounds.push(made.round);
    folder = asked.images;
  }
  return { rounds, folder, failure: null };
}

async function plan({ ports, job, facts, plan: take }: PreDumpWork): Promise<PreDumpPlan> {
  const newest = (await ports.vault.sealed(job.name)).at(-1);
  return planPreDump({
    setting: job.preDump,
    tracking: facts.softDirty ? "soft-dirty" : "compare",
    takesPages: takesPages(take),
    last: newest === undefined ? null : await readable(ports, job, newest),
  });
}

/** What cannot be read says nothing; other verbs tell of it. */
async function readable({ vault }: Ports, job: Job, number: number): Promise<Manifest | null> {
  try {
    return await vault.manifest(job.name, number);
  } catch (error) {
    if (error instanceof Fault) return null;
    throw error;
  }
}

async function request(
  { ports, job, run, plan: take, making }: PreDumpWork,
  mode: PreDumpMode,
  round: number,
  before: string | null,
): Promise<PreDumpRequest> {
  const { vault, limits } = ports;
  return {
    job: job.name,
    images: await vault.preDumpFolder(making, round),
    log: await vault.logFile(job.name, `pre-dump-${making.number}-${round}.log`),
    init: run.init,
    rootVpid: run.rootVpid,
    options: [],
    mode,
    parent: before ?? (take.kind === "increment" ? vault.generationFolder(job.name, take.parent) : null),
    timeoutSeconds: limits.dumpTimeoutSeconds,
  };
}
