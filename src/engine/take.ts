import type { Capture } from "../domain/captured.ts";
import type { Finding } from "../domain/finding.ts";
import { dumpOptions, findings, restoreOptions } from "../domain/findings.ts";
import type { Generation } from "../domain/generation.ts";
import type { Job, JobName } from "../domain/job.ts";
import type { Manifest } from "../domain/manifest.ts";
import { planTake, type TakePlan } from "../domain/plan-take.ts";
import type { Run } from "../domain/run.ts";
import { formatSize } from "../domain/size.ts";
import type { TreeFacts } from "../domain/tree.ts";
import { Fault } from "../faults/fault.ts";
import { findJob } from "./find-job.ts";
import { rowOf } from "./generation-of.ts";
import { withJobLease } from "./lease.ts";
import type { CriuFacts, DumpStats, Making, Ports, ThinReport } from "./ports.ts";
import { refuseUnprotectable } from "./protectable.ts";
import { reconcile } from "./reconcile.ts";
import { newestPoint } from "./queries.ts";

/** What one take did, for people and programs. */
export type TakeReport = {
  readonly generation: Generation;
  /** Milliseconds from the call to the seal. */
  readonly milliseconds: number;
  readonly stats: DumpStats;
  readonly thin: Pick<ThinReport, "pagesKept" | "pagesShared" | "bytesRead" | "bytesWritten">;
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
    return report;
  } catch (error) {
    if (error instanceof Fault && !neverTried.has(error.code))
      await note(ports, job.name, { outcome: "failed", point: null, code: error.code, message: error.message });
    throw error;
  }
}

/** Nothing was tried, so nothing failed: another is at work, or the job has ended. */
const neverTried: ReadonlySet<string> = new Set(["busy", "not-running"]);

async function attempt(ports: Ports, job: Job): Promise<TakeReport> {
  const { clock, vault, criu } = ports;
  const began = clock.monotonic();
  const { run, state } = (await reconcile(ports, job)).observation;
  if (!run || state !== "running") throw Fault.of("not-running", { job: job.name, state });
  if (await criu.stillDumping(job.name)) throw Fault.of("busy", { owner: "a criu process", job: job.name, verb: "dump" });
  await requireRoom(ports);
  const facts = await criu.probe();
  const { tree, found } = await lookTwice(ports, run);
  refuseUnprotectable(job.name, found);
  const plan = await planFor(ports, job, run, facts);
  const head = await vault.readHead(job.name);
  const number = head.lastNumber + 1;
  // L3: durable before CRIU can clear the first dirty bit.
  await vault.writeHead(job.name, {
    lastNumber: number,
    bits: { type: "unknown", why: `the dump of generation ${number} was begun and did not end well` },
  });
  const making = await vault.prepare(job.name, number);
  try {
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
      findings: found,
      leftOut: made.manifest.capture.files.filter((file) => file.how === "left-out"),
    };
  } catch (error) {
    await vault.discard(making);
    throw await withStillGood(ports, job.name, error);
  }
}

type Work = {
  readonly ports: Ports;
  readonly job: Job;
  readonly run: Run;
  readonly facts: CriuFacts;
  readonly tree: TreeFacts;
  readonly found: readonly Finding[];
  readonly plan: TakePlan;
  readonly making: Making;
};

type Made = { readonly manifest: Manifest; readonly stats: DumpStats; readonly thin: ThinReport };

async function makeGeneration(work: Work): Promise<Made> {
  const { ports, job, run, facts, plan, making } = work;
  const { vault, clock, events } = ports;
  const parent = plan.kind === "increment" ? await vault.manifest(job.name, plan.parent) : null;
  const say = (phase: string) => events.emit({ type: "phase", verb: "take", job: job.name, phase });
  const frozen: { takenAt: number; capture?: Capture; tree?: TreeFacts } = { takenAt: 0 };
  say("dump");
  const stats = await ports.criu.dump(
    {
      job: job.name,
      images: making.staging,
      log: await vault.logFile(job.name, `dump-${making.number}.log`),
      init: run.init,
      rootVpid: run.rootVpid,
      options: dumpOptions(work.found),
      track: facts.softDirty ? { parent: parent && vault.generationFolder(job.name, parent.number) } : null,
      timeoutSeconds: ports.limits.dumpTimeoutSeconds,
    },
    async () => {
      frozen.takenAt = clock.now();
      // Looked at again: between plan and freeze the job went on opening files.
      frozen.tree = await ports.processes.inspect(run.root, run.init);
      frozen.capture = await ports.files.capture(frozen.tree, job.files, making.folder, parent?.capture ?? null);
    },
  );
  const { capture, tree, takenAt } = frozen;
  if (!capture || !tree) throw missingHook(job.name);
  say("thin");
  const thin = await vault.thin(making, parent?.number ?? null, (bytes, total) => {
    events.emit({ type: "progress", verb: "take", job: job.name, bytes, total });
  });
  say("seal");
  const settled = await ports.files.settle(capture, making.folder, parent?.capture ?? null);
  const unsealed: Omit<Manifest, "digests"> = {
    format: 1,
    job: job.name,
    number: making.number,
    id: ports.ids.random(),
    timeline: run.timeline,
    run: run.number,
    kind: plan.kind,
    parent: parent && { number: parent.number, id: parent.id },
    takenAt,
    sealedAt: clock.now(),
    reason: plan.reason,
    tracking: facts.softDirty ? "soft-dirty" : "compare",
    freezeMicros: stats.freezeMicros,
    pages: { scanned: stats.pagesScanned, written: stats.pagesWritten, skipped: stats.pagesSkipped, kept: thin.pagesKept },
    host: { bootId: ports.host.bootId(), kernel: ports.host.kernel(), hostname: ports.host.hostname(), criu: facts.version },
    tree: {
      rootVpid: run.rootVpid,
      highestPid: thin.highestPid,
      processes: thin.processes,
      residentBytes: tree.processes.reduce((sum, process) => sum + process.residentBytes, 0),
    },
    restoreOptions: restoreOptions(work.found),
    findings: work.found.map((finding) => `${finding.code}: ${finding.what}`),
    capture: settled.capture,
  };
  const digests = { ...thin.digests, ...settled.digests };
  await vault.seal(making, unsealed, digests);
  return { manifest: { ...unsealed, digests }, stats, thin };
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
async function requireRoom({ vault, limits }: Ports): Promise<void> {
  const { vault: free } = await vault.freeSpace();
  if (free >= limits.minFreeBytes) return;
  throw Fault.of("space-short", { place: vault.path, free: formatSize(free), needed: formatSize(limits.minFreeBytes) });
}

async function planFor(ports: Ports, job: Job, run: Run, facts: CriuFacts): Promise<TakePlan> {
  const [head, generations] = [await ports.vault.readHead(job.name), await ports.catalogue.generations(job.name)];
  return planTake({
    bits: head.bits,
    root: run.root,
    run: run.number,
    criu: facts.version,
    tracking: facts.softDirty ? "soft-dirty" : "compare",
    maxChain: job.maxChain,
    generations,
  });
}

/** CRIU ended well and never called the hook: the files were not captured in the freeze, so this is no generation. */
function missingHook(job: JobName): Fault {
  return Fault.of("dump-incomplete", { job, why: "it did not call the post-dump hook", log: "in the job's logs" });
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
  await ports.catalogue.putAttempt({ job, at: ports.clock.now(), count: 1, ...said });
}
