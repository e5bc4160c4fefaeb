import type { JobName } from "../domain/job.ts";
import { Fault } from "../faults/fault.ts";
import { findJob } from "./find-job.ts";
import { withJobLease } from "./lease.ts";
import type { Ports } from "./ports.ts";
import { points } from "./queries.ts";
import { reconcile } from "./reconcile.ts";
import { intend } from "./stop.ts";

export type RetireReport = { readonly points: number; readonly deleted: boolean; readonly stillRuns: boolean };

/**
 * Guards a job no more. `keep` leaves its points where they are, restorable by its name; `delete` takes them and the name away;
 * `undecided` is refused when there are points. A job that runs goes on running, unguarded.
 * Faults: `job-unknown`, `busy`, `points-undecided`.
 */
export async function retire(ports: Ports, name: JobName, what: "undecided" | "keep" | "delete"): Promise<RetireReport> {
  await findJob(ports, name);
  return withJobLease(ports, name, "retire", async () => {
    const job = await findJob(ports, name);
    const { state } = (await reconcile(ports, job)).observation;
    const offered = (await points(ports, name)).length;
    if (offered > 0 && what === "undecided") throw Fault.of("points-undecided", { job: name, count: offered });
    const deleted = what === "delete" || offered === 0;
    if (deleted) {
      // The rows first: a row without a directory would offer what is gone.
      await ports.catalogue.removeJob(name);
      await ports.vault.removeJob(name);
    } else {
      await intend(ports, job, "retired");
    }
    return { points: offered, deleted, stillRuns: state === "running" };
  });
}
