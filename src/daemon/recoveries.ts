import type { Engine } from "../compose.ts";
import type { Job, JobName } from "../domain/job.ts";
import { nextRecoveries, type Waiting } from "../domain/plan-recovery.ts";
import { mayBeShutdown, observe } from "../engine/observe.ts";
import { recoveryOf } from "../engine/recovery-of.ts";
import { Fault } from "../faults/fault.ts";
import type { Workers } from "./workers.ts";

/** A crash is seen within this. A look costs a row and a file of `/proc` for each job. */
const lookMilliseconds = 2_000;
/** What was found to be no matter of ours is looked at again after this, should only the vault have changed. */
const againAnywayMilliseconds = 15_000;
/** A try that found another at work on the job is made again after this. */
const againMilliseconds = 5_000;

/**
 * Sees that a job has vanished, and sets its recovery going when it is due: not before this very service has seen it gone for
 * `recover.delay`, so that a machine that has just started has the time to mount its disks.
 */
export class Recoveries {
  readonly #engine: Engine;
  readonly #workers: Workers;
  #lastLook = -Infinity;
  /** Jobs that have ended and are not to be brought back, with what the catalogue was when that was found, and when. */
  readonly #settled = new Map<JobName, { readonly changes: string; readonly at: number }>();
  /** When each vanished job was first seen so, and last tried, on the monotonic clock. */
  readonly #seen = new Map<JobName, { readonly run: number; readonly at: number; tried: number }>();

  constructor(engine: Engine, workers: Workers) {
    this.#engine = engine;
    this.#workers = workers;
  }

  async look(): Promise<void> {
    const { ports, settings } = this.#engine;
    const monotonic = ports.clock.monotonic();
    if (monotonic - this.#lastLook < lookMilliseconds) return;
    this.#lastLook = monotonic;
    const waiting: Waiting[] = [];
    for (const job of await ports.catalogue.jobs()) {
      const one = job.intent === "run" ? await this.#waitingOf(job, monotonic).catch(passOver) : null;
      if (one) waiting.push(one);
      else this.#seen.delete(job.name);
    }
    const places = settings.recover.parallel - this.#workers.underwayOf("recover");
    for (const name of nextRecoveries(waiting, ports.clock.now(), places)) {
      const seen = this.#seen.get(name);
      if (seen) seen.tried = monotonic;
      this.#workers.start("recover", name);
    }
  }

  async #waitingOf(job: Job, monotonic: number): Promise<Waiting | null> {
    const { ports, settings } = this.#engine;
    const last = await ports.catalogue.newestRun(job.name);
    if (!last) return null;
    if (last.endedAt === null) {
      this.#settled.delete(job.name);
      if (ports.processes.isAlive(last.init ?? last.root)) return null;
      const seen = await observe(ports, job);
      if (seen.state !== "running" && !mayBeShutdown(seen, ports.clock.now())) this.#workers.start("tend", null, "ended");
      return null;
    }
    const settled = this.#settled.get(job.name);
    const changes = await ports.catalogue.changes();
    if (settled?.changes === changes && monotonic - settled.at < againAnywayMilliseconds) return null;
    const plan = await recoveryOf(ports, job, settings.recover);
    if (plan.type !== "restore") {
      this.#settled.set(job.name, { changes, at: monotonic });
      return null;
    }
    const known = this.#seen.get(job.name);
    const seen = known?.run === last.number ? known : { run: last.number, at: monotonic, tried: -Infinity };
    this.#seen.set(job.name, seen);
    const isEarly = monotonic - seen.at < settings.recover.delay || monotonic - seen.tried < againMilliseconds;
    const at = isEarly || this.#workers.isAtWork("recover", job.name) ? Infinity : plan.at;
    return { job: job.name, at, lost: plan.lost ?? 0 };
  }
}

/** A job whose files cannot be read keeps nobody from the others; the look after all jobs says what is wrong with it. */
function passOver(error: unknown): null {
  if (error instanceof Fault) return null;
  throw error;
}
