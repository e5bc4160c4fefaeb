import type { Engine } from "../compose.ts";
import { whySkipped } from "../domain/plan-take-all.ts";
import { takeAll } from "../engine/take-all.ts";

/**
 * A last generation of each job before the service goes, by `service.last-takes`. `deadline`: on the monotonic clock, counted from the signal,
 * as systemd counts. Never rejects for a job's sake: a service that ends must end.
 */
export async function lastTakes(engine: Engine, deadline: number): Promise<void> {
  const { ports, settings, log } = engine;
  const { lastTakes: when } = settings.service;
  const why = when === "shutdown" ? await engine.goingDown() : when === "always" ? "the settings say always" : null;
  if (why === null) return;
  const left = Math.max(0, Math.round(deadline - ports.clock.monotonic()));
  log.info({ event: "last-takes", why, milliseconds: left }, `a last generation of each job: ${why}`);
  try {
    for (const one of await takeAll(ports, { places: engine.takesAtOnce, deadline })) {
      const line = { event: "last-take", job: one.job, outcome: one.outcome };
      if (one.outcome === "took") {
        const point = one.report.generation.number;
        log.info({ ...line, point }, `took point ${point}`);
      } else if (one.outcome === "skipped") log.warn({ ...line, predicted: one.predicted, left: one.left }, whySkipped(one));
      else log.error({ ...line, code: one.fault.code, remedy: one.fault.remedy }, one.fault.message);
    }
  } catch (error) {
    log.error({ event: "last-takes-failed", err: error }, "the last generations could not be taken");
  }
}
