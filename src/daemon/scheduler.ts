import type { JobName } from "../domain/job.ts";
import { planTick, type Scheduled } from "../domain/plan-tick.ts";
import { nextDue } from "../domain/schedule.ts";
import { noteMissed } from "../engine/note-missed.ts";
import { observe } from "../engine/observe.ts";
import { watchExposure } from "../engine/watch-exposure.ts";
import type { Engine } from "../compose.ts";
import { Recoveries } from "./recoveries.ts";
import { Workers } from "./workers.ts";

/** The wall clock is read again at least this often, so that suspend, clock steps and daylight saving do no harm. */
const longestSleepMilliseconds = 1_000;
const tendMilliseconds = 15_000;

/**
 * The service's clock: rows in the catalogue say when each job is due, Bree's workers do the work when told to.
 * Jobs that appear, change or go need no restart: the rows are read again at every tick.
 */
export class Scheduler {
  readonly #engine: Engine;
  readonly #workers: Workers;
  readonly #recoveries: Recoveries;
  #timer: NodeJS.Timeout | null = null;
  #ticking: Promise<void> = Promise.resolve();
  #lastTend = -Infinity;
  #nextVerify = Infinity;
  /** Jobs whose exposure is over its limit and was told of. */
  #overExposed: ReadonlySet<JobName> = new Set();
  #closed = false;

  constructor(engine: Engine) {
    this.#engine = engine;
    // Retention runs by itself after each take, and never while that job is being dumped: both need the job's lease.
    this.#workers = new Workers(engine, (task, job) => {
      if (this.#closed) return;
      if (task === "take") this.#workers.start("expire", job);
      // After the night's reading: both want the jobs' leases.
      if (task === "verify" && engine.settings.drill.nightly === "newest") this.#workers.start("drill", null);
    });
    this.#recoveries = new Recoveries(engine, this.#workers);
  }

  async open(): Promise<void> {
    this.#nextVerify = this.#nightAfter(this.#engine.ports.clock.now());
    await this.#workers.open();
    this.#tickAfter(0);
  }

  /** No new work; takes that run are waited for, up to the dump time limit. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    await this.#ticking;
    await this.#workers.close();
  }

  #tickAfter(milliseconds: number): void {
    this.#timer = setTimeout(() => {
      this.#ticking = this.#tick()
        .catch((error: unknown) => this.#engine.log.error({ event: "tick-failed", err: error }, "a tick failed"))
        .then(() => (this.#closed ? undefined : this.#tickAfter(longestSleepMilliseconds)));
    }, milliseconds);
  }

  async #tick(): Promise<void> {
    const { ports, settings, log } = this.#engine;
    const now = ports.clock.now();
    const first = this.#lastTend === -Infinity;
    if (ports.clock.monotonic() - this.#lastTend > tendMilliseconds) {
      this.#lastTend = ports.clock.monotonic();
      this.#workers.start("tend", null, first ? "all" : "ended");
      await this.#watchExposure();
    }
    await this.#recoveries.look();
    if (now >= this.#nextVerify) {
      this.#nextVerify = this.#nightAfter(now);
      this.#workers.start("verify", null);
    }
    const free = settings.limits.takesAtOnce - this.#workers.takesUnderway;
    const plan = planTick(await this.#scheduled(now), now, free);
    for (const { job, due } of plan.dues) await ports.catalogue.putDue({ job, due, lastAttemptAt: now });
    for (const { job, count, why } of plan.missed) {
      const message = `${count} generation${count === 1 ? "" : "s"} missed: ${why}`;
      await noteMissed(ports, job, { count, code: null, message });
      log.warn({ event: "missed", job, count }, message);
    }
    for (const job of plan.start) this.#workers.start("take", job);
  }

  async #watchExposure(): Promise<void> {
    const { ports, log } = this.#engine;
    const before = this.#overExposed;
    this.#overExposed = await watchExposure(ports, before);
    for (const job of this.#overExposed) {
      if (!before.has(job)) log.warn({ event: "exposure-over", job }, `${job}: the work at risk is over its limit`);
    }
  }

  /** A slice of all points is read back each night. */
  #nightAfter(now: number): number {
    return nextDue({ type: "cron", expression: "0 3 * * *", zone: this.#engine.settings.zone }, now, "verify");
  }

  async #scheduled(now: number): Promise<readonly Scheduled[]> {
    const { ports } = this.#engine;
    const dues = new Map((await ports.catalogue.dues()).map((one) => [one.job, one.due]));
    const scheduled: Scheduled[] = [];
    for (const job of await ports.catalogue.jobs()) {
      if (!job.schedule || job.intent !== "run") continue;
      const due = dues.get(job.name) ?? null;
      // Only what is due is looked at in /proc: an idle service costs next to nothing.
      if (due !== null && due <= now && !(await this.#runs(job.name))) continue;
      scheduled.push({ job: job.name, schedule: job.schedule, due, underway: this.#workers.isTaking(job.name) });
    }
    return scheduled;
  }

  async #runs(name: JobName): Promise<boolean> {
    const { ports } = this.#engine;
    const job = await ports.catalogue.job(name);
    return job !== null && (await observe(ports, job)).state === "running";
  }
}
