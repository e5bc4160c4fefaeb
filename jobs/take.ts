// One generation of one job, in a thread of the service's.
import { workerData } from "node:worker_threads";
import { compose } from "../src/compose.ts";
import { takeDue } from "../src/engine/take-due.ts";
import { Fault } from "../src/faults/fault.ts";

const { job, settings } = workerData;
const engine = await compose(settings, { log: { part: "take", job } });
try {
  const { generation, milliseconds } = await takeDue(engine.ports, job);
  const { number, kind, reason, bytes, freezeMicros } = generation;
  engine.log.info({ event: "took", point: number, kind, reason, bytes, freezeMicros, milliseconds }, `took point ${number}`);
} catch (error) {
  if (!(error instanceof Fault)) throw error;
  engine.log.error({ event: "take-failed", code: error.code, remedy: error.remedy }, error.message);
} finally {
  await engine.close();
}
