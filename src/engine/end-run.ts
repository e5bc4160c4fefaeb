import type { Job } from "../domain/job.ts";
import type { Run } from "../domain/run.ts";
import { Fault } from "../faults/fault.ts";
import { observe } from "./observe.ts";
import type { Ports } from "./ports.ts";

/**
 * Ends a run: SIGTERM to the job's process group (its init passes it on), then waiting; SIGKILL only when asked.
 * Writes down how it ended. Fault: `stop-timeout`, with the job still running.
 */
export async function endRun(ports: Ports, job: Job, run: Run, how: "ask" | "kill" = "ask"): Promise<Run> {
  const { processes, clock, limits } = ports;
  const target = run.init ?? run.root;
  processes.signal(target, how === "kill" ? "SIGKILL" : "SIGTERM");
  const deadline = clock.monotonic() + limits.stopSeconds * 1000;
  while (processes.isAlive(target)) {
    if (clock.monotonic() > deadline) throw Fault.of("stop-timeout", { job: job.name, seconds: limits.stopSeconds });
    await clock.sleep(50);
  }
  const ended = (await observe(ports, job)).run ?? run;
  await ports.vault.writeRun(job.name, ended);
  await ports.catalogue.putRun(job.name, ended);
  return ended;
}
