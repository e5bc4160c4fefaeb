import { formatDuration } from "../domain/duration.ts";
import { exposureLimitNow, workAtRisk } from "../domain/exposure.ts";
import type { Job, JobName } from "../domain/job.ts";
import { observe } from "./observe.ts";
import type { Ports } from "./ports.ts";

/**
 * Tells of each running job whose work at risk has gone over its limit since the last look; gives all that are over it now, for the next
 * look. Asked every few seconds: catalogue rows alone decide, and only a job found over its limit is looked for in `/proc`.
 */
export async function watchExposure(ports: Ports, before: ReadonlySet<JobName>): Promise<ReadonlySet<JobName>> {
  const over = new Set<JobName>();
  const intervals = new Map((await ports.catalogue.dues()).map(({ job, interval }) => [job, interval]));
  for (const job of await ports.catalogue.jobs()) {
    const limit = exposureLimitNow(job, intervals.get(job.name) ?? null);
    if (job.intent !== "run" || limit === null) continue;
    const found = await overLimit(ports, job, limit);
    if (found === null) continue;
    over.add(job.name);
    if (before.has(job.name)) continue;
    const message = `${formatDuration(seconds(found.milliseconds))} of work are at risk, the limit is ${formatDuration(limit)}`;
    const at = ports.clock.now();
    await ports.notices.tell({ event: "exposure-over", job: job.name, at, point: found.point, code: null, message });
  }
  return over;
}

async function overLimit(ports: Ports, job: Job, limit: number) {
  const run = await ports.catalogue.newestRun(job.name);
  if (!run || run.endedAt !== null) return null;
  const newest = await ports.catalogue.newestByRows(job.name);
  const milliseconds = workAtRisk(run, newest, ports.clock.now());
  if (milliseconds <= limit || (await observe(ports, job)).state !== "running") return null;
  return { milliseconds, point: newest?.number ?? null };
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds / 1000) * 1000;
}
