import type { Capture } from "../domain/captured.ts";
import type { Finding } from "../domain/finding.ts";
import { dumpOptions, restoreOptions } from "../domain/findings.ts";
import { slowdownOf } from "../domain/generation-cost.ts";
import type { Job, JobName } from "../domain/job.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { TakePlan } from "../domain/plan-take.ts";
import type { Run } from "../domain/run.ts";
import type { TreeFacts } from "../domain/tree.ts";
import { Fault } from "../faults/fault.ts";
import { takesPages } from "./consumed.ts";
import { type PreDumps, preDumps } from "./pre-dumps.ts";
import type { CopiesAhead, CriuFacts, DumpStats, Making, Ports, ThinReport } from "./ports.ts";

/**
 * One generation of a tree, from the early copies to the seal: pre-dumps, freeze, dump, files captured still frozen, thaw, thin, sync, digests,
 * manifest. If a pre-dump fails it becomes a base, whatever was planned.
 * A crash at any step leaves no new point. Faults: `dump-failed`, `dump-timeout`, `dump-incomplete`, `parent-unfit`, `vault-full`,
 * `vault-unwritable`.
 */
export async function makeGeneration(work: Work): Promise<Made> {
  const { ports, job, run, facts, making } = work;
  const { vault, clock, events } = ports;
  const say = (phase: string) => events.emit({ type: "phase", verb: "take", job: job.name, phase });
  say("copy");
  const begun = ports.host.processor();
  const ahead = await copyAhead(work);
  let prepared: PreDumps;
  let asked: ReturnType<typeof ports.host.processor>;
  let frozen: Frozen;
  let plan = work.plan;
  let parent: Manifest | null;
  try {
    prepared = await preDumps(work);
    if (prepared.failure !== null) plan = { kind: "base", reason: prepared.failure };
    parent = plan.kind === "increment" ? await vault.manifest(job.name, plan.parent) : null;
    asked = ports.host.processor();
    say("dump");
    const below = prepared.folder ?? (parent && vault.generationFolder(job.name, parent.number));
    frozen = await dumpFrozen(work, { takes: takesPages(plan), below, earlier: parent?.capture ?? null, ahead });
  } finally {
    await ahead.close();
  }
  const thawed = ports.host.processor();
  const { stats, capture, tree, takenAt } = frozen;
  say("thin");
  const onProgress = (bytes: number, total: number): void => {
    events.emit({ type: "progress", verb: "take", job: job.name, bytes, total });
  };
  const thin = takesPages(plan)
    ? await vault.keep(making, plan.parent, onProgress)
    : await thinned(work, prepared, parent?.number ?? null, onProgress);
  // Before the seal: the new point is offered only once what it stands on can be verified.
  if (takesPages(plan)) await vault.consume(job.name, plan.parent, making.number);
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
    // What the seal itself still does is nearly all waiting for the disk.
    slowdownMicros:
      slowdownOf(begun, asked) +
      slowdownOf(thawed, ports.host.processor()) +
      prepared.rounds.reduce((sum, round) => sum + round.freezeMicros, 0),
    ...(prepared.rounds.length > 0 ? { preDumps: prepared.rounds } : {}),
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

type Frozen = { readonly stats: DumpStats; readonly capture: Capture; readonly tree: TreeFacts; readonly takenAt: number };

/** `below`: the images it stands on, a generation's or a pre-dump's. `takes`: CRIU may take pages out of them. */
type FrozenWork = {
  readonly takes: boolean;
  readonly below: string | null;
  readonly earlier: Capture | null;
  readonly ahead: CopiesAhead;
};

/** The dump itself, and the files captured in its freeze. */
async function dumpFrozen(
  { ports, job, run, facts, found, making }: Work,
  { takes, below, earlier, ahead }: FrozenWork,
): Promise<Frozen> {
  const seen: { takenAt: number; capture?: Capture; tree?: TreeFacts } = { takenAt: 0 };
  const stats = await ports.criu.dump(
    {
      job: job.name,
      images: making.staging,
      log: await ports.vault.logFile(job.name, `dump-${making.number}.log`),
      init: run.init,
      rootVpid: run.rootVpid,
      options: [...dumpOptions(found), ...(takes ? ["--auto-dedup"] : [])],
      track: facts.softDirty ? { parent: below } : null,
      timeoutSeconds: ports.limits.dumpTimeoutSeconds,
    },
    async () => {
      seen.takenAt = ports.clock.now();
      // Looked at again: between plan and freeze the job went on opening files.
      seen.tree = await ports.processes.inspect(run.root, run.init);
      seen.capture = await ports.files.capture(seen.tree, job.files, making.folder, earlier, ahead);
    },
  );
  const { capture, tree, takenAt } = seen;
  if (!capture || !tree) throw missingHook(job.name);
  return { stats, capture, tree, takenAt };
}

/** Thins the dump, its pre-dumps folded in first; none of them outlives this. */
async function thinned(
  { ports, facts, making }: Work,
  { rounds }: PreDumps,
  parent: number | null,
  onProgress: (bytes: number, total: number) => void,
): Promise<ThinReport> {
  const { vault } = ports;
  const whole = rounds.length === 0 ? making : await vault.foldPreDumps(making, rounds.length, parent);
  const thin = await vault.thin(whole, parent, onProgress, facts.softDirty ? "left-out-of-shared" : "left-out");
  if (rounds.length > 0) await vault.dropPreDumps(making);
  return thin;
}

/** What the capture would have to copy in the freeze, copied before it. */
async function copyAhead({ ports, job, run, making }: Work): Promise<CopiesAhead> {
  const lookedAt = ports.clock.now();
  const tree = await ports.processes.inspect(run.root, run.init);
  return ports.files.copyAhead(tree, lookedAt, job.files, making.folder);
}

/** What there is to go by. */
export type Work = {
  readonly ports: Ports;
  readonly job: Job;
  readonly run: Run;
  readonly facts: CriuFacts;
  readonly tree: TreeFacts;
  readonly found: readonly Finding[];
  readonly plan: TakePlan;
  readonly making: Making;
};

export type Made = { readonly manifest: Manifest; readonly stats: DumpStats; readonly thin: ThinReport };

/** CRIU ended well and never called the hook: the files were not captured in the freeze, so this is no generation. */
function missingHook(job: JobName): Fault {
  return Fault.of("dump-incomplete", { job, why: "it did not call the post-dump hook", log: "in the job's logs" });
}
