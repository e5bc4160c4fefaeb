import type { Job, JobName, JobState } from "../domain/job.ts";
import type { RecoverRules } from "../domain/plan-recovery.ts";
import { Fault } from "../faults/fault.ts";
import { findJob } from "./find-job.ts";
import { beat } from "./heartbeat.ts";
import { carryOut, judge } from "./judge-comeback.ts";
import { withJobLease } from "./lease.ts";
import { mayBeShutdown, observe } from "./observe.ts";
import type { Ports } from "./ports.ts";
import { reconcile } from "./reconcile.ts";

/** What was written down now: a run's end, or what a run that a restore had begun says of its point. */
export type TendNews = {
  readonly job: JobName;
  readonly event: "run-ended" | "settled" | "died-again";
  readonly state: JobState;
  readonly text: string;
};

/**
 * Looks at every job once: writes down the ends of runs, judges those that came back, and puts right what a crash left. `all`: every job
 * is reconciled with the vault, as at the service's start; `ended`: only those with something to write down. A job that another process acts
 * on is left for the next time. The first fault met is thrown when all jobs have been looked at.
 */
export async function tend(ports: Ports, which: "all" | "ended", rules: RecoverRules): Promise<readonly TendNews[]> {
  const aliveUntil = await beat(ports);
  const news: TendNews[] = [];
  let first: Fault | null = null;
  if (which === "all") for (const name of await ports.vault.jobNames()) await findJob(ports, name).catch(passOver);
  for (const job of await ports.catalogue.jobs()) {
    try {
      if (!(await needsWriting(ports, job, which, rules))) continue;
      news.push(...(await withJobLease(ports, job.name, "tend", async () => tendOne(ports, job, rules, aliveUntil), "unasked")));
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      // One job that cannot be looked after is no reason to leave the others alone.
      if (error.code !== "busy") first ??= error;
    }
  }
  if (first !== null) throw first;
  return news;
}

async function needsWriting(ports: Ports, job: Job, which: "all" | "ended", rules: RecoverRules): Promise<boolean> {
  const last = (await ports.catalogue.runs(job.name)).at(-1);
  const seen = await observe(ports, job);
  if (last?.endedAt === null && seen.state !== "running") return !mayBeShutdown(seen, ports.clock.now());
  return which === "all" || last === undefined || (await judge(ports, job, seen, rules)) !== null;
}

async function tendOne(ports: Ports, job: Job, rules: RecoverRules, aliveUntil: number | null): Promise<readonly TendNews[]> {
  const before = (await ports.catalogue.runs(job.name)).at(-1);
  const { observation } = await reconcile(ports, job, aliveUntil);
  const { state, run } = observation;
  const news: TendNews[] = [];
  if (run?.endedAt !== null && before?.endedAt === null) {
    news.push({ job: job.name, event: "run-ended", state, text: `${job.name}: ${state}` });
  }
  const judgement = await judge(ports, job, observation, rules);
  if (judgement === null) return news;
  await carryOut(ports, job, observation, judgement);
  const event = judgement.verdict === "proven" ? "settled" : "died-again";
  return [...news, { job: job.name, event, state, text: judgement.message }];
}

/** A job whose file is damaged is no reason to leave the others alone; asking for it by name says what is wrong. */
function passOver(error: unknown): void {
  if (!(error instanceof Fault)) throw error;
}
