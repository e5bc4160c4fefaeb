import type { Capture } from "../domain/captured.ts";
import type { Finding } from "../domain/finding.ts";
import { dumpOptions, restoreOptions } from "../domain/findings.ts";
import type { Job, JobName } from "../domain/job.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { TakePlan } from "../domain/plan-take.ts";
import type { Run } from "../domain/run.ts";
import type { TreeFacts } from "../domain/tree.ts";
import { Fault } from "../faults/fault.ts";
import { takesPages } from "./consumed.ts";
import type { CriuFacts, DumpStats, Making, Ports, ThinReport } from "./ports.ts";

/**
 * One generation of a tree, from the freeze to the seal: dump, files captured still frozen, thaw, thin, sync, digests, manifest.
 * A crash at any step leaves no new point. Faults: `dump-failed`, `dump-timeout`, `dump-incomplete`, `parent-unfit`, `vault-full`,
 * `vault-unwritable`.
 */
export async function makeGeneration(work: Work): Promise<Made> {
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
      options: [...dumpOptions(work.found), ...(takesPages(plan) ? ["--auto-dedup"] : [])],
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
  const onProgress = (bytes: number, total: number): void => {
    events.emit({ type: "progress", verb: "take", job: job.name, bytes, total });
  };
  const thin = takesPages(plan)
    ? await vault.keep(making, plan.parent, onProgress)
    : await vault.thin(making, parent?.number ?? null, onProgress);
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
