// The night's part of the points of all jobs, read back.
import { workerData } from "node:worker_threads";
import { compose } from "../src/compose.ts";
import { verifySlice } from "../src/engine/verify-slice.ts";
import { Fault } from "../src/faults/fault.ts";

const { settings, budget } = workerData;
const engine = await compose(settings, { log: { part: "verify" } });
try {
  const { checked, damage, busy } = await verifySlice(engine.ports, settings.verify.slice, budget);
  for (const { job, damage: found } of damage)
    engine.log.error(
      { event: "damage", job, point: found.number, file: found.file },
      `${job}: point ${found.number}: ${found.why}`,
    );
  engine.log.info({ event: "verified", checked, damaged: damage.length, busy }, `${checked} points read back`);
} catch (error) {
  if (!(error instanceof Fault)) throw error;
  engine.log.error({ event: "verify-failed", code: error.code, remedy: error.remedy }, error.message);
} finally {
  await engine.close();
}
