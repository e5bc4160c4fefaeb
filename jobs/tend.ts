// Looks after every job: ends of runs are written down, leftovers of a crash are swept.
import { workerData } from "node:worker_threads";
import { compose } from "../src/compose.ts";
import { tend } from "../src/engine/tend.ts";

const { settings, which } = workerData;
const engine = await compose(settings, { log: { part: "tend" } });
try {
  for (const { job, event, state, text } of await tend(engine.ports, which, settings.recover)) {
    engine.log.info({ event, job, state }, text);
  }
} finally {
  await engine.close();
}
