import type { Finding } from "../domain/finding.ts";
import { findings } from "../domain/findings.ts";
import type { Generation } from "../domain/generation.ts";
import type { Job, JobName } from "../domain/job.ts";
import type { PreDumpRound } from "../domain/pre-dump.ts";
import type { StagingPlan } from "../domain/plan-staging.ts";
import { planTake, type TakePlan } from "../domain/plan-take.ts";
import type { Run } from "../domain/run.ts";
import { formatSize } from "../domain/size.ts";
import type { TreeFacts } from "../domain/tree.ts";
import { Fault } from "../faults/fault.ts";
import { giveUp, settleConsumed, takesPages } from "./consumed.ts";
import { findJob } from "./find-job.ts";
import { rowOf } from "./generation-of.ts";
import { withJobLease } from "./lease.ts";
import { makeGeneration } from "./make-generation.ts";
import { makeChainPlain } from "./make-plain.ts";
import type { CriuFacts, DumpStats, Making, Ports, ThinReport } from "./ports.ts";
import { refuseUnprotectable } from "./protectable.ts";
import { reconcile } from "./reconcile.ts";
import { newestPoint } from "./queries.ts";
import { placeDump } from "./place-dump.ts";
import { planAgain } from "./schedule.ts";
import { readBack } from "./verify.ts";

/** What one take did, for people and programs. */
export type TakeReport = {
  readonly generation: Generation;
  /** Milliseconds from the call to the seal. */
  readonly milliseconds: number;
  readonly stats: DumpStats;
  readonly thin: Pick<ThinReport, "pagesKept" | "pagesShared" | "pagesBlank" | "bytesRead" | "bytesWritten">;
  /** The pre-dumps before the freeze, oldest first. */
  readonly preDumps: readonly PreDumpRound[];
  /** Where the dump landed first; `why`: why it was not staging. */
  readonly staging: StagingPlan;
  readonly findings: readonly Finding[];
  /** Files that are not in the generation, with why. */
  readonly leftOut: readonly { readonly path: string; readonly why: string }[];
};

/**
 * Takes one generation of a running job: lease, plan, freeze, dump, files captured still frozen, thaw, thin, sync, digests,
 * manifest (= sealed), catalogue row, lease released.
 *
 * A crash at any step leaves no new point and every older one as it was; the dirty bits count as unknown until the seal, so the next
 * generation is a base. Faults: `job-unknown`, `busy`, `not-running`, `unprotectable`, `dump-failed`, `dump-timeout`,
 * `dump-incomplete`, `vault-full`, `vault-unwritable`.
 */
export async function take(ports: Ports, name: JobName): Promise<TakeReport> {
  await findJob(ports, name);
  return withJobLease(ports, name, "take", () => takeLeased(ports, name));
}

/** The same for a caller that holds the job's lease already (stop, restore --replace). */
export async function takeLeased(ports: Ports, name: JobName): Promise<TakeReport> {
  const job = await findJob(ports, name);
  try {
    const report = await attempt(ports, job);
    const { number, reason } = report.generation;
    await note(ports, job.name, { outcome: "took", point: number, code: null, message: reason });
    await schedule(ports, job);
    return report;
  } catch (error) {
    if (error instanceof Fault && !neverTried.has(error.code)) {
      await note(ports, job.name, { outcome: "failed", point: null, code: error.code, message: error.message });
      await schedule(ports, job);
    }
    throw error;
  }
}

/** Nothing was tried, so nothing failed: another is at work, or the job has ended. */
const neverTried: ReadonlySet<string> = new Set(["busy", "not-running"]);

/** An increment that CRIU could not stand on its parent (a process ran another program since) is made a base at once. */
async function attempt(ports: Ports, job: Job): Promise<TakeReport> {
  try {
    return await attemptOnce(ports, job);
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== "parent-unfit") throw error;
    ports.events.emit({ type: "notice", job: job.name, text: `${error.message}; taking a base` });
    return attemptOnce(ports, job);
  }
}

async function attemptOnce(ports: Ports, job: Job): Promise<TakeReport> {
  const { clock, vault, criu } = ports;
  const began = clock.monotonic();
  const { run, state } = (await reconcile(ports, job)).observation;
  if (!run || state !== "running") throw Fault.of("not-running", { job: job.name, state });
  if (await criu.stillDumping(job.name)) throw Fault.of("busy", { owner: "a criu process", job: job.name, verb: "dump" });
  await requireRoom(ports, job.name);
  const facts = await criu.probe();
  const { tree, found } = await lookTwice(ports, run);
  refuseUnprotectable(job.name, found);
  const plan = await planSound(ports, job, run, facts);
  // CRIU and the compare read the parent's files; what the service packs is never this chain, but a person may have had it packed.
  if (plan.kind === "increment") await makeChainPlain(ports, job.name, plan.parent);
  const head = await vault.readHead(job.name);
  const number = head.lastNumber + 1;
  const staging = await placeDump(ports, job.name, run, { facts, plan, tree });
  const making = await begin(ports, job.name, number, staging.where);
  try {
    // L1, before CRIU can punch the first hole.
    if (takesPages(plan)) await giveUp(ports, job.name, plan.parent, number);
    const made = await makeGeneration({ ports, job, run, facts, tree, found, plan, making });
    await vault.writeHead(job.name, {
      lastNumber: number,
      bits: {
        type: "known",
        generation: number,
        id: made.manifest.id,
        root: run.root,
        run: run.number,
        criu: facts.version,
        tracking: made.manifest.tracking,
      },
    });
    const generation = rowOf(made.manifest, {});
    await ports.catalogue.putGeneration(generation);
    return {
      generation,
      milliseconds: clock.monotonic() - began,
      stats: made.stats,
      thin: made.thin,
      preDumps: made.manifest.preDumps ?? [],
      staging,
      findings: found,
      leftOut: made.manifest.capture.files.filter((file) => file.how === "left-out"),
    };
  } catch (error) {
    await vault.discard(making);
    // What this cannot do now, the next look does; it must not hide why the take failed.
    if (takesPages(plan)) await settleConsumed(ports, job.name).catch(passOver);
    throw await withStillGood(ports, job.name, error);
  }
}

function passOver(error: unknown): void {
  if (!(error instanceof Fault)) throw error;
}

/** Faults: `vault-full`, `vault-unwritable`, `key-unusable`. */
async function begin(ports: Ports, job: JobName, number: number, where: StagingPlan["where"]): Promise<Making> {
  try {
    // L3: durable before CRIU can clear the first dirty bit.
    const why = `the dump of generation ${number} was begun and did not end well`;
    await ports.vault.writeHead(job, { lastNumber: number, bits: { type: "unknown", why } });
    return await ports.vault.prepare(job, number, where);
  } catch (error) {
    throw await withStillGood(ports, job, error);
  }
}

/** A look at a tree that forks and ends processes may catch one half-way: what hinders a take must hold for more than a moment. */
async function lookTwice({ processes, clock }: Ports, run: Run): Promise<{ tree: TreeFacts; found: readonly Finding[] }> {
  for (let look = 1; ; look += 1) {
    const tree = await processes.inspect(run.root, run.init);
    const found = findings(tree);
    if (look === 4 || found.every((one) => one.level !== "refused")) return { tree, found };
    await clock.sleep(50);
  }
}

/** `vault.min-free` is asked before the job is touched; a vault that fills up all the same is `vault-full`, later. */
async function requireRoom(ports: Ports, job: JobName): Promise<void> {
  const { vault, limits } = ports;
  const { vault: free } = await vault.freeSpace();
  if (free >= limits.minFreeBytes) return;
  const details = { place: vault.path, free: formatSize(free), needed: formatSize(limits.minFreeBytes) };
  throw await withStillGood(ports, job, Fault.of("space-short", details));
}

/** Pages are taken out of a chain only if it is sound: what is left of it is signed anew, and damage must not be signed with it. */
async function planSound(ports: Ports, job: Job, run: Run, facts: CriuFacts): Promise<TakePlan> {
  const plan = await planFor(ports, job, run, facts);
  if (!takesPages(plan) || (await readBack(ports, job.name, [plan.parent])).length === 0) return plan;
  return planFor(ports, job, run, facts);
}

async function planFor(ports: Ports, job: Job, run: Run, facts: CriuFacts): Promise<TakePlan> {
  const [head, generations] = [await ports.vault.readHead(job.name), await ports.catalogue.generations(job.name)];
  const runs = await ports.catalogue.runs(job.name);
  return planTake({
    bits: head.bits,
    root: run.root,
    run: run.number,
    criu: facts.version,
    tracking: facts.softDirty ? "soft-dirty" : "compare",
    maxChain: job.maxChain,
    dedup: job.dedup,
    restoredFrom: new Set(runs.flatMap(({ from }) => (from === null ? [] : [from]))),
    generations,
  });
}

async function withStillGood(ports: Ports, job: JobName, error: unknown): Promise<unknown> {
  if (!(error instanceof Fault)) return error;
  const newest = await newestPoint(ports, job);
  return error.because(newest ? `newest point still good: #${newest.number}` : "there was no point before this one");
}

async function note(
  ports: Ports,
  job: JobName,
  said: {
    readonly outcome: "took" | "failed";
    readonly point: number | null;
    readonly code: string | null;
    readonly message: string;
  },
): Promise<void> {
  const at = ports.clock.now();
  try {
    await ports.catalogue.putAttempt({ job, at, count: 1, ...said });
  } catch (error) {
    // The point stands, or the fault that is on its way says more: a record that cannot be written (a full disk) hides neither.
    if (!(error instanceof Fault)) throw error;
    ports.events.emit({ type: "notice", job, text: `this take is not in the list of takes: ${error.message}` });
  }
  const { outcome, ...rest } = said;
  await ports.notices.tell({ event: outcome, job, at, ...rest });
}

async function schedule(ports: Ports, job: Job): Promise<void> {
  try {
    await planAgain(ports, job);
  } catch (error) {
    // As above: the interval is planned anew after the next take.
    if (!(error instanceof Fault)) throw error;
    ports.events.emit({ type: "notice", job: job.name, text: `its interval was not planned anew: ${error.message}` });
  }
}
