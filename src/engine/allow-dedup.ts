import { parsePolicy } from "../domain/policy.ts";
import type { Job } from "../domain/job.ts";
import { Fault } from "../faults/fault.ts";
import type { Ports } from "./ports.ts";

/**
 * L2: CRIU's own deduplication only where the newest point alone is kept, and where there are dirty bits to tell what an increment leaves
 * to its parent. Warns of what it costs. Faults: `dedup-needs-last`, `dedup-unsupported`, those of the probe.
 */
export async function allowDedup(
  { criu, events }: Pick<Ports, "criu" | "events">,
  job: Pick<Job, "name" | "dedup" | "keep">,
): Promise<void> {
  if (job.dedup === "exact") return;
  const { last, within, calendar } = parsePolicy(job.keep);
  const others = [within, ...Object.values(calendar)].some((rule) => rule !== null && rule !== 0);
  if (last !== 1 || others) throw Fault.of("dedup-needs-last", { keep: job.keep });
  if (!(await criu.probe()).softDirty) throw Fault.of("dedup-unsupported", {});
  const text = 'dedup = "in-dump": a crash in the middle of a dump costs the only point; "exact" never does';
  events.emit({ type: "notice", job: job.name, text });
}
