// The night's drills: the newest point of each running job comes back in isolation.
import { workerData } from "node:worker_threads";
import { compose } from "../src/compose.ts";
import { drillNightly } from "../src/engine/drill-nightly.ts";

const { settings } = workerData;
const engine = await compose(settings, { log: { part: "drill" } });
try {
  const { done, faults } = await drillNightly(engine.ports, settings.drill.resume);
  for (const { point, milliseconds, compared, lived } of done)
    engine.log.info(
      { event: "drilled", job: point.job, point: point.number, milliseconds, compared, lived },
      `${point.job}: point ${point.number} is proven`,
    );
  for (const { job, fault } of faults)
    engine.log.error({ event: "drill-failed", job, code: fault.code, remedy: fault.remedy }, `${job}: ${fault.message}`);
} finally {
  await engine.close();
}
