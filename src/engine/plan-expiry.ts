import type { Generation } from "../domain/generation.ts";
import type { Job } from "../domain/job.ts";
import { type ExpirePlan, planExpire } from "../domain/plan-expire.ts";
import { parsePolicy } from "../domain/policy.ts";
import { restorePoints } from "../domain/restorable.ts";
import type { Ports } from "./ports.ts";
import { standing } from "./standing.ts";

/** What retention would do with a job now, and the points it would choose among. Plain reading. */
export async function planExpiry(
  ports: Ports,
  job: Job,
  zone: string,
): Promise<{ readonly plan: ExpirePlan; readonly points: readonly Generation[] }> {
  const { present, missing } = await standing(ports, job.name);
  const points = restorePoints(present);
  const runs = await ports.catalogue.runs(job.name);
  const plan = planExpire({
    generations: present,
    gone: missing.filter((one) => one.state !== "consumed"),
    points,
    policy: parsePolicy(job.keep),
    zone: job.schedule?.type === "cron" ? job.schedule.zone : zone,
    restoredFrom: new Set(runs.flatMap((run) => (run.from === null ? [] : [run.from]))),
  });
  return { plan, points };
}
