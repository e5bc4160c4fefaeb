import type { Job, JobName } from "../domain/job.ts";
import { workAtRisk } from "../domain/exposure.ts";
import { type NextTake, nextTake, orderTakes, type Skipped, type Waiting } from "../domain/plan-take-all.ts";
import { Fault } from "../faults/fault.ts";
import { observe } from "./observe.ts";
import type { Ports } from "./ports.ts";
import { predict } from "./predict.ts";
import { newestPoint } from "./queries.ts";
import { take, type TakeReport } from "./take.ts";

export type TakeAllRequest = {
  /** How many at one time. */
  readonly places: number;
  /** On the clock's monotonic scale; `null`: no deadline. */
  readonly deadline: number | null;
};

/** What became of one job. */
export type TakeOutcome =
  | { readonly job: JobName; readonly outcome: "took"; readonly report: TakeReport }
  | ({ readonly job: JobName; readonly outcome: "skipped" } & Pick<Skipped, "predicted" | "left">)
  | { readonly job: JobName; readonly outcome: "failed"; readonly fault: Fault };

/** Pauses between tries at a job that another process is at work on. */
const busyMilliseconds = 250;

/**
 * Takes a generation of every running job, the one with the most work at risk first. With a deadline a take is begun only if it is
 * expected to end in time, and its dump is ended at the deadline. Gives one outcome for each job, in the order in which they were
 * decided; one that fails keeps nobody from the others. A crash leaves what a crash of those takes leaves.
 */
export async function takeAll(ports: Ports, { places, deadline }: TakeAllRequest): Promise<readonly TakeOutcome[]> {
  const outcomes: TakeOutcome[] = [];
  let waiting: readonly Waiting[] = orderTakes(await runningJobs(ports, deadline));
  const next = (): NextTake["begin"] => {
    const plan = nextTake(waiting, leftUntil(ports, deadline));
    waiting = plan.waiting;
    for (const { job, predicted, left } of plan.skipped) outcomes.push({ job, outcome: "skipped", predicted, left });
    return plan.begin;
  };
  const work = async (): Promise<void> => {
    for (let one = next(); one !== null; one = next()) outcomes.push(await takeOne(ports, one, deadline));
  };
  await Promise.all(Array.from({ length: places }, work));
  return outcomes;
}

/** The same for one job that was asked for by its name. Fault: `job-unknown`, `not-running`. */
export async function takeWithin(ports: Ports, job: Job, deadline: number): Promise<TakeOutcome> {
  const one = await waitingOf(ports, job, deadline);
  if (one === null) throw Fault.of("not-running", { job: job.name, state: (await observe(ports, job)).state });
  const { begin, skipped } = nextTake([one], leftUntil(ports, deadline));
  if (begin !== null) return takeOne(ports, begin, deadline);
  return { job: job.name, outcome: "skipped", predicted: one.predicted, left: skipped[0]?.left ?? 0 };
}

async function runningJobs(ports: Ports, deadline: number | null): Promise<readonly Waiting[]> {
  const found: Waiting[] = [];
  for (const job of await ports.catalogue.jobs()) {
    const one = await waitingOf(ports, job, deadline);
    if (one !== null) found.push(one);
  }
  return found;
}

async function waitingOf(ports: Ports, job: Job, deadline: number | null): Promise<Waiting | null> {
  if (job.intent !== "run") return null;
  const { run, state } = await observe(ports, job);
  if (!run || state !== "running") return null;
  const exposure = workAtRisk(run, await newestPoint(ports, job.name), ports.clock.now());
  return { job: job.name, exposure, predicted: deadline === null ? null : await predict(ports, job, run) };
}

/** A job that another process acts on is waited for while its take still fits; without a deadline it is reported at once. */
async function takeOne(ports: Ports, one: Waiting, deadline: number | null): Promise<TakeOutcome> {
  for (;;) {
    const left = leftUntil(ports, deadline);
    try {
      return { job: one.job, outcome: "took", report: await take(endingIn(ports, left), one.job) };
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      if (error.code !== "busy" || deadline === null) return { job: one.job, outcome: "failed", fault: error };
      await ports.clock.sleep(busyMilliseconds);
      if (nextTake([one], leftUntil(ports, deadline)).begin === null) return { job: one.job, outcome: "failed", fault: error };
    }
  }
}

/** A dump that is under way at the deadline is ended by its own time limit, and the job runs on; no lease is waited for any longer. */
function endingIn(ports: Ports, left: number | null): Ports {
  if (left === null) return ports;
  const dumpTimeoutSeconds = Math.min(ports.limits.dumpTimeoutSeconds, Math.max(1, Math.floor(left / 1000)));
  return { ...ports, limits: { ...ports.limits, dumpTimeoutSeconds, leaseMilliseconds: Math.max(0, left) } };
}

function leftUntil({ clock }: Ports, deadline: number | null): number | null {
  return deadline === null ? null : deadline - clock.monotonic();
}
