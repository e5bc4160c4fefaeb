import type { Job, JobName } from "../domain/job.ts";
import { planTick, type Scheduled } from "../domain/plan-tick.ts";
import { fixedSchedule, nextDue } from "../domain/schedule.ts";
import { type Clocks, hasStepped, sleepUntilDue } from "../domain/tick-moment.ts";
import { beat } from "../engine/heartbeat.ts";
import { noteMissed } from "../engine/note-missed.ts";
import { observe } from "../engine/observe.ts";
import { compressOf } from "../engine/pack-cold.ts";
import type { Due } from "../engine/ports.ts";
import { hasNews, type Quiet } from "../engine/tend.ts";
import { watchExposure } from "../engine/watch-exposure.ts";
import type { Engine } from "../compose.ts";
import { Recoveries } from "./recoveries.ts";
import { Workers } from "./workers.ts";

const tendMilliseconds = 15_000;
/** Due times that are still to come are held against their schedules this often, and whenever rows or the clock have changed. */
const recheckMilliseconds = 60_000;

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
  #lastRecheck = -Infinity;
  #clocks: Clocks | null = null;
  #changes = "";
  /** A worker has ended since the tick began: a place may be free. */
  #isWanted = false;
  #dues: readonly Due[] = [];
  /** Due times that the log was told of. */
  readonly #seenDue = new Map<JobName, number>();
  readonly #quiet: Quiet = new Map();
  #nextVerify = Infinity;
  /** Jobs whose exposure is over its limit and was told of. */
  #overExposed: ReadonlySet<JobName> = new Set();
  #closed = false;

  constructor(engine: Engine) {
    this.#engine = engine;
    // Retention runs by itself after each take, and never while that job is being dumped: both need the job's lease.
    this.#workers = new Workers(engine, (task, job) => {
      if (this.#closed) return;
      this.#tickSoon();
      if (task === "take") this.#workers.start("expire", job);
      // What retention was to fold is folded by then.
      if (task === "expire" && job !== null) void this.#packIfCold(job);
      if (task === "verify") this.#workers.start("pack", null);
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
      this.#timer = null;
      this.#isWanted = false;
      this.#ticking = this.#tick()
        .catch((error: unknown) => {
          this.#engine.log.error({ event: "tick-failed", err: error }, "a tick failed");
          this.#dues = [];
        })
        .then(() => (this.#closed ? undefined : this.#tickAfter(this.#isWanted ? 0 : this.#untilDue())));
    }, milliseconds);
  }

  #tickSoon(): void {
    this.#isWanted = true;
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#tickAfter(0);
  }

  #untilDue(): number {
    return sleepUntilDue(
      this.#dues.map(({ due }) => due),
      this.#engine.ports.clock.now(),
    );
  }

  async #tick(): Promise<void> {
    const { ports } = this.#engine;
    const now = ports.clock.now();
    await this.#startDue(now);
    if (ports.clock.monotonic() - this.#lastTend > tendMilliseconds) await this.#tend();
    await this.#recoveries.look();
    if (now >= this.#nextVerify) {
      this.#nextVerify = this.#nightAfter(now);
      this.#workers.start("verify", null);
    }
  }

  /** The look after all jobs at the service's start is made in a thread; later ones here, and a thread is started if there is something to write down. */
  async #tend(): Promise<void> {
    const { ports, settings } = this.#engine;
    const first = this.#lastTend === -Infinity;
    this.#lastTend = ports.clock.monotonic();
    if (first) this.#workers.start("tend", null, "all");
    else if (await hasNews(ports, settings.recover, this.#quiet)) this.#workers.start("tend", null, "ended");
    else if (this.#workers.underwayOf("tend") === 0) await beat(ports);
    await this.#watchExposure();
    // Not at once: V8 takes a while to let go of what a thread had.
    if (this.#workers.idleFor(tendMilliseconds)) await this.#engine.giveBackMemory();
  }

  async #startDue(now: number): Promise<void> {
    const { ports, log, takesAtOnce } = this.#engine;
    const free = takesAtOnce - this.#workers.takesUnderway;
    const plan = planTick(await this.#scheduled(now), now, free);
    for (const { job, due } of plan.dues) await ports.catalogue.putDue({ job, due, lastAttemptAt: now });
    for (const { job, count, why } of plan.missed) {
      const message = `${count} generation${count === 1 ? "" : "s"} missed: ${why}`;
      await noteMissed(ports, job, { count, code: null, message });
      log.warn({ event: "missed", job, count }, message);
    }
    for (const job of plan.start) this.#workers.start("take", job);
  }

  async #packIfCold(name: JobName): Promise<void> {
    const { ports, settings, log } = this.#engine;
    try {
      const job = await ports.catalogue.job(name);
      if (job && !this.#closed && compressOf(job, settings.compress) === "cold") this.#workers.start("pack", name);
    } catch (error) {
      log.error({ event: "task-failed", task: "pack", err: error }, "a task could not be started");
    }
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
    this.#dues = await ports.catalogue.dues();
    const dues = new Map(this.#dues.map((one) => [one.job, one]));
    const scheduled: Scheduled[] = [];
    const rechecks = await this.#mustRecheck(now);
    for (const job of await ports.catalogue.jobs()) {
      if (!job.schedule || job.intent !== "run") continue;
      const { due = null, interval = null } = dues.get(job.name) ?? {};
      // Only what is due is looked at in /proc, and only what may have changed is reckoned anew: an idle service costs next to nothing.
      if (due !== null && due > now && !rechecks) continue;
      if (due !== null && due <= now && !(await this.#runs(job))) continue;
      if (due !== null && due <= now) this.#tellDue(job.name, due);
      const schedule = fixedSchedule(job.schedule, interval ?? ports.interval.minEvery);
      scheduled.push({ job: job.name, schedule, due, underway: this.#workers.isTaking(job.name) });
    }
    return scheduled;
  }

  async #mustRecheck(now: number): Promise<boolean> {
    const { catalogue, clock } = this.#engine.ports;
    const [changes, clocks, before] = [await catalogue.changes(), { wall: now, monotonic: clock.monotonic() }, this.#clocks];
    const isOld = clocks.monotonic - this.#lastRecheck > recheckMilliseconds;
    const must = isOld || changes !== this.#changes || before === null || hasStepped(before, clocks);
    if (must) this.#lastRecheck = clocks.monotonic;
    [this.#changes, this.#clocks] = [changes, clocks];
    return must;
  }

  /** The moment at which the service takes notice of it; it may have to wait for a place then. */
  #tellDue(job: JobName, due: number): void {
    if (this.#seenDue.get(job) === due) return;
    this.#seenDue.set(job, due);
    this.#engine.log.debug({ event: "due", job, due }, `a generation of ${job} is due`);
  }

  async #runs(job: Job): Promise<boolean> {
    return (await observe(this.#engine.ports, job)).state === "running";
  }
}
