import type { Job, JobName } from "../domain/job.ts";
import type { Run } from "../domain/run.ts";
import { Fault } from "../faults/fault.ts";
import { allowDedup } from "./allow-dedup.ts";
import { withJobLease } from "./lease.ts";
import type { Launched, Ports } from "./ports.ts";
import { scheduleNext } from "./schedule.ts";

/**
 * Starts a job under guard: its settings in the vault, then its first run.
 * A crash between leaves a job without a run, or a run folder without a record that `reconcile` writes down.
 * Faults: `name-taken`, `launch-failed`, `command-missing`, `user-unknown`, `compiler-missing`, `vault-unwritable`, those of
 * {@link allowDedup}.
 */
export async function start(ports: Ports, job: Job): Promise<Run> {
  return withNewJob(ports, job, async (runFolder) => ports.launcher.launch({ job, runFolder }));
}

/**
 * Takes on a tree that already runs, in the host's namespaces. What it cannot promise then (the exit status, pids that nobody else
 * has) is said by the findings. Faults: `name-taken`, `pid-unknown`, `pid-kernel-thread`, `pid-self`, `unprotectable`.
 */
export async function adopt(ports: Ports, job: Job, root: Run["root"]): Promise<Run> {
  const guarding = await guardOf(ports, root);
  if (guarding !== null) {
    const findings = `process ${root.pid} is guarded already, as job ${guarding}`;
    throw Fault.of("unprotectable", { job: job.name, findings, advice: `see \`holdfast status ${guarding}\`` });
  }
  return withNewJob(ports, job, async () => ({ init: null, root, rootVpid: root.pid }));
}

async function guardOf({ catalogue }: Ports, root: Run["root"]): Promise<JobName | null> {
  for (const { name } of await catalogue.jobs()) {
    const run = (await catalogue.runs(name)).at(-1);
    if (run?.endedAt === null && run.root.pid === root.pid && run.root.startTicks === root.startTicks) return name;
  }
  return null;
}

type Begun = Omit<Launched, "init"> & { readonly init: Run["init"] };

async function withNewJob(ports: Ports, job: Job, begin: (runFolder: string) => Promise<Begun>): Promise<Run> {
  const { vault, catalogue, clock } = ports;
  return withJobLease(ports, job.name, "start", async () => {
    if ((await catalogue.job(job.name)) || (await vault.jobNames()).includes(job.name))
      throw Fault.of("name-taken", { job: job.name });
    await allowDedup(ports, job);
    await vault.writeJob(job);
    const runFolder = await vault.runFolder(job.name, 1);
    try {
      // Before the launch: what a crash leaves must be in the list, to be found and put right.
      await catalogue.putJob(job);
      const begun = await begin(runFolder);
      const run: Run = { number: 1, timeline: 1, startedAt: clock.now(), from: null, ...begun, endedAt: null, ending: null };
      await vault.writeRun(job.name, run);
      await catalogue.putRun(job.name, run);
      await scheduleNext(ports, job);
      return run;
    } catch (error) {
      await ports.launcher.abandon(runFolder);
      await catalogue.removeJob(job.name);
      await vault.removeJob(job.name);
      throw error;
    }
  });
}
