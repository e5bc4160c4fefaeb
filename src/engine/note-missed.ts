import type { JobName } from "../domain/job.ts";
import type { Ports } from "./ports.ts";

/** Writes down generations that fell due and were not taken, then tells of it. `code`: of the fault that was the cause, if one was. */
export async function noteMissed(
  ports: Pick<Ports, "catalogue" | "clock" | "notices">,
  job: JobName,
  { count, code, message }: { readonly count: number; readonly code: string | null; readonly message: string },
): Promise<void> {
  const at = ports.clock.now();
  await ports.catalogue.putAttempt({ job, at, outcome: "missed", point: null, code, message, count });
  await ports.notices.tell({ event: "missed", job, at, point: null, code, message });
}
