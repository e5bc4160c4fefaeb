import type { Job } from "../domain/job.ts";
import type { Beginning } from "../domain/run.ts";
import { Fault } from "../faults/fault.ts";
import { settleConsumed } from "./consumed.ts";
import { keepRecords } from "./keep-records.ts";
import { observe, type Observation } from "./observe.ts";
import { lossOf, noteRecovery, spanText } from "./note-recovery.ts";
import type { Damage, Ports } from "./ports.ts";
import { syncRows } from "./sync-rows.ts";

/** What was found out of order and put right, in sentences; empty on an ordinary day. */
export type Reconciled = {
  readonly observation: Observation;
  readonly repairs: readonly string[];
  /** Generations that were sound when last looked at, and are gone or unreadable now. */
  readonly damage: readonly Damage[];
};

/**
 * Finishes or undoes what a crash left of one job; the caller holds its lease. Plain reading when there is nothing to do.
 * `aliveUntil` as `observe` has it. Order: leftovers of dumps, records that the vault has lost and the catalogue knows, launches and restores that
 * were never written down, then the ends of runs, then catalogue rows.
 */
export async function reconcile(ports: Ports, job: Job, aliveUntil: number | null = null): Promise<Reconciled> {
  const repairs = [
    ...(await sweepDumps(ports, job)),
    ...(await sweepDrills(ports, job)),
    ...(await keepRecords(ports, job)),
    ...(await settleRuns(ports, job)),
    ...(await sweepUnpacked(ports, job)),
  ];
  const synced = await syncRows(ports, job);
  repairs.push(...synced.repairs, ...(await settleConsumed(ports, job.name)));
  const observation = await observe(ports, job, aliveUntil);
  const { run } = observation;
  if (run && run.endedAt !== null) await recordEnd(ports, job, observation);
  for (const text of repairs) ports.events.emit({ type: "notice", job: job.name, text });
  return { observation, repairs, damage: synced.damage };
}

async function sweepDumps(ports: Ports, job: Job): Promise<readonly string[]> {
  // The criu of a service that was killed may still be at work: it owns the staging folder until its lock is free.
  if (await ports.criu.stillDumping(job.name)) return [];
  const swept = await ports.vault.sweepLeftovers(job.name);
  return swept.map((folder) => `swept ${folder}, left by a generation that was never finished`);
}

/** The init of a drill outlives who began it. */
async function sweepDrills({ vault, launcher }: Ports, job: Job): Promise<readonly string[]> {
  const folders = await vault.drillFolders(job.name);
  for (const folder of folders) {
    await launcher.abandon(`${folder}/run`);
    await vault.removeDrill(job.name, folder);
  }
  return folders.map((folder) => `swept ${folder}, left by a drill that was cut off`);
}

/** After a restore that was cut off has been ended: its criu reads them. */
async function sweepUnpacked({ vault }: Ports, job: Job): Promise<readonly string[]> {
  const folders = await vault.sweepUnpacked(job.name);
  return folders.map((folder) => `swept ${folder}, unpacked for something that was cut off`);
}

async function settleRuns(ports: Ports, job: Job): Promise<readonly string[]> {
  const repairs: string[] = [];
  for (const begun of await ports.vault.unfinishedRuns(job.name)) {
    const live = await ports.launcher.find(begun.folder);
    const beginning = await ports.vault.readBeginning(job.name, begun.number);
    if (live) {
      // It came to life, only the writing down is missing.
      const run = {
        number: begun.number,
        timeline: begun.number,
        startedAt: beginning?.at ?? ports.clock.now(),
        from: beginning?.from ?? null,
        ...live,
        endedAt: null,
        ending: null,
      };
      await ports.vault.writeRun(job.name, run);
      await ports.catalogue.putRun(job.name, run);
      if (beginning) await noteCutOff(ports, job, beginning, "restored");
      repairs.push(`wrote down run ${begun.number}, which was started and not recorded`);
    } else {
      // Before its trace is gone: a restore that takes the machine down with it must count as a try.
      if (beginning) await noteCutOff(ports, job, beginning, "failed");
      // The criu of a restore that was killed may still be at work on files that go back now.
      await ports.launcher.abandon(begun.folder);
      await ports.files.undo(begun.undoFolder);
      await ports.vault.removeRunFolder(job.name, begun.number);
      repairs.push(`undid the beginnings of run ${begun.number}; the files are as they were before it`);
    }
  }
  return repairs;
}

/** A recovery that a crash cut off, written down as the recovery would have done. */
async function noteCutOff(ports: Ports, job: Job, { by, from }: Beginning, outcome: "restored" | "failed"): Promise<void> {
  if (by !== "service") return;
  const fault = outcome === "failed" ? Fault.of("restore-cut-off", { point: from, job: job.name }) : null;
  await noteRecovery(ports, {
    job: job.name,
    point: from,
    outcome,
    code: fault?.code ?? null,
    message: fault?.message ?? `came back from point ${from}`,
    lostMilliseconds: null,
    milliseconds: 0,
  });
}

/** A crash is told once, by whoever writes it down. */
async function recordEnd(ports: Ports, job: Job, { run, state }: Observation): Promise<void> {
  const last = (await ports.catalogue.runs(job.name)).at(-1);
  if (!run || !last || last.endedAt !== null) return;
  // First, since it cannot be told later: seen on the boot it ran on, a tree without an init of ours may have ended by itself.
  if (state === "crashed" && run.init === null && run.root.bootId === ports.host.bootId()) await noteEndUnknown(ports, job);
  await ports.vault.writeRun(job.name, run);
  await ports.catalogue.putRun(job.name, run);
  if (state === "crashed") await tellCrash(ports, job);
}

async function noteEndUnknown(ports: Ports, { name: job }: Job): Promise<void> {
  const { code, message } = Fault.of("end-unknown", { job });
  await noteRecovery(ports, { job, point: null, outcome: "failed", code, message, lostMilliseconds: null, milliseconds: 0 });
}

async function tellCrash(ports: Ports, job: Job): Promise<void> {
  const { point, lost } = await lossOf(ports, job);
  const loss =
    point === null || lost === null ? "it has no restore point" : `${spanText(lost)} of work are lost since point ${point.number}`;
  const then = job.onCrash === "ask" ? `; bring it back with \`holdfast restore ${job.name}\`` : "";
  const message = `${job.name} vanished; ${loss}${then}`;
  await ports.notices.tell({
    event: "crashed",
    job: job.name,
    at: ports.clock.now(),
    point: point?.number ?? null,
    code: null,
    message,
  });
}
