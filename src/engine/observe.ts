import type { Job, JobState } from "../domain/job.ts";
import type { Ending, Run } from "../domain/run.ts";
import type { Ports } from "./ports.ts";

/** How a job stands at this moment, read from the machine and not from memory. */
export type Observation = { readonly state: JobState; readonly run: Run | null };

/**
 * Changes nothing: reconcile writes down what was seen. `aliveUntil`: when the service last saw its jobs before now, milliseconds since
 * the epoch; with it the end of a run that went down with the machine is dated by that, and not by the moment it was missed.
 */
export async function observe(ports: Ports, job: Job, aliveUntil: number | null = null): Promise<Observation> {
  const last = await ports.catalogue.newestRun(job.name);
  if (!last) return { state: job.intent === "run" ? "crashed" : job.intent, run: null };
  const run = await observeRun(ports, job, last, aliveUntil);
  if (run.endedAt === null) return { state: "running", run };
  if (job.intent !== "run") return { state: job.intent, run };
  return { state: stateOfEnded(run), run };
}

/** The run with its end, if it has ended: an init that is gone without a record was killed with the job, or the machine died. */
async function observeRun(ports: Ports, job: Job, run: Run, aliveUntil: number | null): Promise<Run> {
  if (run.endedAt !== null) return run;
  if (ports.processes.isAlive(run.init ?? run.root)) return run;
  const now = ports.clock.now();
  const wentDown = run.root.bootId !== ports.host.bootId();
  const folder = await ports.vault.runFolder(job.name, run.number);
  const ending = run.init && (await ports.launcher.ending(folder));
  const noted = ending ? await ports.launcher.endedAt(folder) : wentDown ? aliveUntil : null;
  const endedAt = Math.min(now, Math.max(run.startedAt, noted ?? now));
  return { ...run, endedAt, ending: wentDown && isByShutdown(ending) ? null : ending };
}

/**
 * The job ended a moment ago by a signal that a shutdown sends, to it as to the service. Whoever has the time waits before this is written down as
 * the job's own end: if the machine goes down, the next boot finds no end written down, and brings the job back.
 */
export function mayBeShutdown({ run }: Observation, now: number): boolean {
  return run !== null && run.endedAt !== null && isByShutdown(run.ending) && now - run.endedAt < shutdownMilliseconds;
}

const shutdownMilliseconds = 30_000;

/** The machine's shutdown ends what still runs, and the init may yet have the time to write that down: the job itself did not end. */
function isByShutdown(ending: Ending | null): boolean {
  return ending?.type === "signaled" && shutdownSignals.includes(ending.signal);
}

/** SIGHUP, SIGTERM, SIGKILL */
const shutdownSignals: readonly number[] = [1, 15, 9];

function stateOfEnded(run: Run): JobState {
  if (!run.ending) return "crashed";
  return run.ending.type === "exited" && run.ending.status === 0 ? "finished" : "failed";
}
