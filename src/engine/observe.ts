import type { Job, JobState } from "../domain/job.ts";
import type { Run } from "../domain/run.ts";
import type { Ports } from "./ports.ts";

/** How a job stands at this moment, read from the machine and not from memory. */
export type Observation = { readonly state: JobState; readonly run: Run | null };

/** Changes nothing: `record` in reconcile writes down what was seen. */
export async function observe(ports: Ports, job: Job): Promise<Observation> {
  const runs = await ports.catalogue.runs(job.name);
  const last = runs.at(-1);
  if (!last) return { state: job.intent === "run" ? "crashed" : job.intent, run: null };
  const run = await observeRun(ports, job, last);
  if (run.endedAt === null) return { state: "running", run };
  if (job.intent !== "run") return { state: job.intent, run };
  return { state: stateOfEnded(run), run };
}

/** The run with its end, if it has ended: an init that is gone without a record was killed with the job, or the machine died. */
async function observeRun(ports: Ports, job: Job, run: Run): Promise<Run> {
  if (run.endedAt !== null) return run;
  if (ports.processes.isAlive(run.init ?? run.root)) return run;
  const ending = run.init ? await ports.launcher.ending(await ports.vault.runFolder(job.name, run.number)) : null;
  return { ...run, endedAt: ports.clock.now(), ending };
}

function stateOfEnded(run: Run): JobState {
  if (!run.ending) return "crashed";
  return run.ending.type === "exited" && run.ending.status === 0 ? "finished" : "failed";
}
