import { setTimeout as wait } from "node:timers/promises";
import type { Clock } from "../engine/ports.ts";

/** The machine's clocks; the one place that reads them. */
export const machineClock: Clock = {
  now: () => Date.now(),
  // performance.now() begins anew in each worker thread.
  monotonic: () => Number(process.hrtime.bigint()) / 1_000_000,
  sleep: (milliseconds) => wait(milliseconds),
  repeat(milliseconds, act) {
    const timer = setInterval(act, milliseconds);
    timer.unref();
    return () => clearInterval(timer);
  },
};
