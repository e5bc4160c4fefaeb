import { formatDuration } from "../domain/duration.ts";
import type { Generation } from "../domain/generation.ts";
import type { Job } from "../domain/job.ts";
import { lineage, workSince } from "../domain/lineage.ts";
import type { Run } from "../domain/run.ts";
import { Fault } from "../faults/fault.ts";
import type { Ports, Recovery } from "./ports.ts";
import { points } from "./queries.ts";

/** Writes a try down. The rows keep the order in which they were written, also when the clock was put back: what came after counts as later. */
export async function noteRecovery(ports: Ports, said: Omit<Recovery, "at">): Promise<void> {
  const [before] = await ports.catalogue.recoveries(said.job, 1);
  const ended = (await ports.catalogue.runs(said.job)).at(-1)?.endedAt ?? 0;
  const at = Math.max(ports.clock.now(), ended, (before?.at ?? 0) + 1);
  await ports.catalogue.putRecovery({ ...said, at, milliseconds: Math.round(said.milliseconds) });
}

/** The newest point that the ended run grew out of, and the work done since, in milliseconds; each `null` if it is not known. */
export async function lossOf(ports: Ports, job: Job): Promise<{ readonly point: Generation | null; readonly lost: number | null }> {
  const runs = await ports.catalogue.runs(job.name);
  const generations = await ports.catalogue.generations(job.name);
  const [point = null] = lineage(runs, generations, await points(ports, job.name));
  return { point, lost: point && workSince(point, runs, generations) };
}

/** The same for one point and the run that ended, as it was before another took its place. */
export async function lossSince(ports: Ports, job: Job, point: Generation, ended: Run | null): Promise<number | null> {
  const runs = (await ports.catalogue.runs(job.name)).filter((run) => ended !== null && run.number <= ended.number);
  return workSince(point, runs, await ports.catalogue.generations(job.name));
}

export type Comeback = {
  readonly point: Generation;
  readonly run: Run;
  /** Milliseconds of work; `null`: not known. */
  readonly lost: number | null;
  readonly milliseconds: number;
};

/** Writes down that a job came back, and tells it; gives the sentence. It runs: that this cannot be written down is a notice. */
export async function noteComeback(ports: Ports, job: Job, { point, run, lost, milliseconds }: Comeback): Promise<string> {
  const loss = lost === null ? "" : `; ${spanText(lost)} of work lost`;
  const message = `came back from point ${point.number}, on timeline ${run.timeline}${loss}`;
  const said = { job: job.name, point: point.number, message, code: null } as const;
  try {
    await noteRecovery(ports, { ...said, outcome: "restored", lostMilliseconds: lost, milliseconds });
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    ports.events.emit({ type: "notice", job: job.name, text: `this is not in the list of recoveries: ${error.message}` });
  }
  await ports.notices.tell({ ...said, event: "restored", at: ports.clock.now(), message: `${job.name} ${message}` });
  return message;
}

/** Whole seconds: nobody knows it better. */
export function spanText(milliseconds: number): string {
  return formatDuration(Math.round(milliseconds / 1000) * 1000);
}
