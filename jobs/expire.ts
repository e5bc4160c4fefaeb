// Retention of one job, after each take: fold, withdraw, sweep.
import { workerData } from "node:worker_threads";
import { compose } from "../src/compose.ts";
import { expire } from "../src/engine/expire.ts";
import { Fault } from "../src/faults/fault.ts";

const { job, settings, budget } = workerData;
const engine = await compose(settings, { log: { part: "expire", job } });
try {
  const { plan, done } = await expire(engine.ports, job, settings.zone, "perform", budget);
  if (plan.sweeps.length > 0)
    engine.log.info({ event: "expired", points: plan.sweeps, ...done }, `${plan.sweeps.length} generations swept`);
} catch (error) {
  if (!(error instanceof Fault)) throw error;
  engine.log.error({ event: "expire-failed", code: error.code, remedy: error.remedy }, error.message);
} finally {
  await engine.close();
}
