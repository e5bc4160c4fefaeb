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

/** By job, the number of a run that has nothing more to say of its point. */
export type Quiet = Map<JobName, number>;

/**
 * True if a look after the ended jobs would find something to write down. Costs a row and a file of `/proc` for each job, so that the service need not
 * start a thread for the answer. `quiet` is kept for the next look: a run that has lived long enough says nothing more of its point until it ends.
 */
export async function hasNews(ports: Ports, rules: RecoverRules, quiet: Quiet): Promise<boolean> {
  for (const job of await ports.catalogue.jobs()) {
    const last = await ports.catalogue.newestRun(job.name);
    const isAlive = last?.endedAt === null && ports.processes.isAlive(last.init ?? last.root);
    if (last !== null && quiet.get(job.name) === last.number && (isAlive || last.endedAt !== null)) continue;
    const lived = last === null ? 0 : ports.clock.now() - last.startedAt;
    const news = await needsWriting(ports, job, "ended", rules).catch(orNone);
    if (news) return true;
    if (last !== null && lived >= rules.settle) quiet.set(job.name, last.number);
  }
  return false;
}

/** The look itself says what is wrong with a job that cannot be looked at. */
function orNone(error: unknown): boolean {
  if (error instanceof Fault) return true;
  throw error;
}

async function needsWriting(ports: Ports, job: Job, which: "all" | "ended", rules: RecoverRules): Promise<boolean> {
  const last = await ports.catalogue.newestRun(job.name);
  const seen = await observe(ports, job);
  if (last?.endedAt === null && seen.state !== "running") return !mayBeShutdown(seen, ports.clock.now());
  return which === "all" || last === null || (await judge(ports, job, seen, rules)) !== null;
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
