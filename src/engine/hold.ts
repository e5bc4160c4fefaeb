import type { Generation } from "../domain/generation.ts";
import type { JobName } from "../domain/job.ts";
import { choosePoint } from "./choose-point.ts";
import { findJob } from "./find-job.ts";
import { withJobLease } from "./lease.ts";
import { mark } from "./mark.ts";
import type { Ports } from "./ports.ts";

/** Puts a hold on a restore point, or takes it off: no policy overrides it. Faults: `job-unknown`, `point-unknown`, `no-points`, `busy`. */
export async function hold(ports: Ports, name: JobName, number: number, held: boolean, note: string | null): Promise<Generation> {
  await findJob(ports, name);
  return withJobLease(ports, name, "hold", async () => {
    const point = await choosePoint(ports, name, { type: "point", number });
    await mark(ports, name, number, { held, ...(note === null ? {} : { note }) });
    return { ...point, held };
  });
}
