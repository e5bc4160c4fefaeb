import type { JobName } from "../domain/job.ts";
import { Fault } from "../faults/fault.ts";
import type { Ports } from "./ports.ts";
import { take, type TakeReport } from "./take.ts";

/**
 * The take that the schedule asks for. One that finds another at work on the job is not doubled, and counts as missed.
 * Faults: those of take.
 */
export async function takeDue(ports: Ports, name: JobName): Promise<TakeReport> {
  try {
    return await take(ports, name);
  } catch (error) {
    if (error instanceof Fault && error.code === "busy") {
      const said = { outcome: "missed", point: null, code: error.code, message: error.message, count: 1 } as const;
      await ports.catalogue.putAttempt({ job: name, at: ports.clock.now(), ...said });
    }
    throw error;
  }
}
