// What has grown cold, packed: of one job after its retention, of all jobs at night.
import { workerData } from "node:worker_threads";
import { compose } from "../src/compose.ts";
import { packCold } from "../src/engine/pack-cold.ts";

const { job, settings, budget } = workerData;
const engine = await compose(settings, { log: { part: "pack" } });
try {
  const { done, faults } = await packCold(engine.ports, job, settings.compress, budget);
  for (const { job: name, number, bytesBefore, bytesAfter } of done)
    engine.log.info({ event: "packed", job: name, point: number, bytesBefore, bytesAfter }, `${name}: point ${number} is packed`);
  for (const { job: name, fault } of faults)
    engine.log.error({ event: "pack-failed", job: name, code: fault.code, remedy: fault.remedy }, `${name}: ${fault.message}`);
} finally {
  await engine.close();
}
