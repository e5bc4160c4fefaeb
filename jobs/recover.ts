// One try to bring one job back that has vanished.
import { workerData } from "node:worker_threads";
import { compose } from "../src/compose.ts";
import { recover } from "../src/engine/recover.ts";
import { Fault } from "../src/faults/fault.ts";

const { job, settings } = workerData;
const engine = await compose(settings, { log: { part: "recover", job } });
try {
  const report = await recover(engine.ports, job, settings.recover);
  if (report) {
    const { point, lost, milliseconds, fault, message } = report;
    const facts = { point, lost, milliseconds: Math.round(milliseconds) };
    if (fault) engine.log.error({ event: "recover-failed", ...facts, code: fault.code, remedy: fault.remedy }, message);
    else engine.log.info({ event: "recovered", ...facts, timeline: report.run?.timeline }, message);
  }
} catch (error) {
  if (!(error instanceof Fault)) throw error;
  engine.log.error({ event: "recover-failed", code: error.code, remedy: error.remedy }, error.message);
} finally {
  await engine.close();
}
