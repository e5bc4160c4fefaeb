import type { Job } from "../domain/job.ts";
import { generationOf } from "./generation-of.ts";
import { observe, type Observation } from "./observe.ts";
import type { Ports } from "./ports.ts";

/** What was found out of order and put right, in sentences; empty on an ordinary day. */
export type Reconciled = { readonly observation: Observation; readonly repairs: readonly string[] };

/**
 * Finishes or undoes what a crash left of one job; the caller holds its lease. Plain reading when there is nothing to do.
 * Order: leftovers of dumps, launches and restores that were never written down, then the ends of runs, then catalogue rows.
 */
export async function reconcile(ports: Ports, job: Job): Promise<Reconciled> {
  const repairs = [...(await sweepDumps(ports, job)), ...(await settleRuns(ports, job)), ...(await syncRows(ports, job))];
  const observation = await observe(ports, job);
  const { run } = observation;
  if (run && run.endedAt !== null) await recordEnd(ports, job, observation);
  for (const text of repairs) ports.events.emit({ type: "notice", job: job.name, text });
  return { observation, repairs };
}

async function sweepDumps(ports: Ports, job: Job): Promise<readonly string[]> {
  // The criu of a service that was killed may still be at work: it owns the staging folder until its lock is free.
  if (await ports.criu.stillDumping(job.name)) return [];
  const swept = await ports.vault.sweepLeftovers(job.name);
  return swept.map((folder) => `swept ${folder}, left by a generation that was never finished`);
}

async function settleRuns(ports: Ports, job: Job): Promise<readonly string[]> {
  const repairs: string[] = [];
  for (const begun of await ports.vault.unfinishedRuns(job.name)) {
    const live = await ports.launcher.find(begun.folder);
    if (live) {
      // It came to life, only the writing down is missing.
      const run = {
        number: begun.number,
        timeline: begun.number,
        startedAt: ports.clock.now(),
        from: null,
        ...live,
        endedAt: null,
        ending: null,
      };
      await ports.vault.writeRun(job.name, run);
      await ports.catalogue.putRun(job.name, run);
      repairs.push(`wrote down run ${begun.number}, which was started and not recorded`);
    } else {
      // The criu of a restore that was killed may still be at work on files that go back now.
      await ports.launcher.abandon(begun.folder);
      await ports.files.undo(begun.undoFolder);
      await ports.vault.removeRunFolder(job.name, begun.number);
      repairs.push(`undid the beginnings of run ${begun.number}; the files are as they were before it`);
    }
  }
  return repairs;
}

/** A generation is sealed before its row is written, and its row is dropped before it is removed: the vault decides. */
async function syncRows(ports: Ports, job: Job): Promise<readonly string[]> {
  const sealed = new Set(await ports.vault.sealed(job.name));
  const listed = new Set((await ports.catalogue.generations(job.name)).map((generation) => generation.number));
  const repairs: string[] = [];
  const marks = await ports.vault.readMarks(job.name);
  for (const number of sealed) {
    if (listed.has(number)) continue;
    await ports.catalogue.putGeneration(await generationOf(ports.vault, job.name, number, marks));
    repairs.push(`listed point ${number}, which was sealed and not in the catalogue`);
  }
  for (const number of listed) {
    if (sealed.has(number)) continue;
    const row = (await ports.catalogue.generations(job.name)).find((generation) => generation.number === number);
    if (!row || row.state === "damaged" || row.state === "expired") continue;
    await ports.catalogue.markGeneration(job.name, number, { state: "damaged", reason: "its directory is gone from the vault" });
    repairs.push(`marked point ${number} damaged: its directory is gone from the vault`);
  }
  return repairs;
}

async function recordEnd(ports: Ports, job: Job, { run }: Observation): Promise<void> {
  const last = (await ports.catalogue.runs(job.name)).at(-1);
  if (!run || !last || last.endedAt !== null) return;
  await ports.vault.writeRun(job.name, run);
  await ports.catalogue.putRun(job.name, run);
}
