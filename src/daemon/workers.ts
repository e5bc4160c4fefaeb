import { getCompileCacheDir } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { Worker, type WorkerOptions } from "node:worker_threads";
import Bree from "bree";
import type { Engine } from "../compose.ts";
import type { JobName } from "../domain/job.ts";
import { type Budget, budgetOf, endWork } from "../engine/pace.ts";

/** A file in `jobs/`. */
type Task = "take" | "tend" | "expire" | "verify" | "recover" | "drill" | "pack";

type Data = {
  readonly task: Task;
  readonly job: JobName | null;
  readonly which: "all" | "ended";
  readonly settings: Engine["settings"];
  readonly budget: Budget;
};

const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
const jobsFolder = `${import.meta.dirname}/../../jobs`;

/** A thread does not share its process's cache of compiled code, and without one takes three times as long to load. */
const cacheFolder = getCompileCacheDir();
const compiled = cacheFolder === undefined ? {} : { NODE_COMPILE_CACHE: path.dirname(cacheFolder) };

/**
 * Bree keeps its own list of names to files and evaluates a path with certain characters in it as source text; here the task alone
 * chooses the file (ecosystem, section 2). Bree's own clock is never used.
 */
class TaskBree extends Bree {
  override createWorker = (_file: string, options: Partial<WorkerOptions>): Worker => {
    const data = options.workerData as Data;
    return new Worker(pathToFileURL(`${jobsFolder}/${data.task}.${extension}`), {
      workerData: data,
      env: { ...process.env, ...compiled },
      name: `${data.task} ${data.job ?? ""}`,
    });
  };
}

/** The service's work in worker threads, one Bree job for each piece while it runs. */
export class Workers {
  readonly #engine: Engine;
  readonly #bree: TaskBree;
  readonly #onEnded: (task: Task, job: JobName | null) => void;
  readonly #budget: Budget;
  readonly #underway = new Map<string, Data>();
  #idle: (() => void) | null = null;
  /** When the last one ended, on the monotonic clock; `null`: none has since that was told. */
  #endedAt: number | null = null;

  /** `onEnded` hears of each piece of work that is over, however it ended. */
  constructor(engine: Engine, onEnded: (task: Task, job: JobName | null) => void) {
    this.#engine = engine;
    this.#budget = budgetOf(engine.settings.sweep.maxRate);
    this.#onEnded = onEnded;
    this.#bree = new TaskBree({
      root: false,
      doRootCheck: false,
      jobs: [],
      timeout: false,
      interval: 0,
      logger: false,
      errorHandler: (error: unknown, { name }: { name: string }) =>
        engine.log.error({ event: "task-failed", task: name, err: error }, "a task failed"),
    });
    this.#bree.on("worker deleted", (name: string) => void this.#ended(name));
  }

  async open(): Promise<void> {
    await this.#bree.start();
  }

  get takesUnderway(): number {
    return this.underwayOf("take");
  }

  underwayOf(task: Task): number {
    return [...this.#underway.values()].filter((data) => data.task === task).length;
  }

  isAtWork(task: Task, job: JobName): boolean {
    return this.#underway.has(`${task} ${job}`);
  }

  isTaking(job: JobName): boolean {
    return this.isAtWork("take", job);
  }

  /** True once for each time that nothing has been at work for so long, after something was. */
  idleFor(milliseconds: number): boolean {
    if (this.#underway.size > 0 || this.#endedAt === null) return false;
    if (this.#engine.ports.clock.monotonic() - this.#endedAt < milliseconds) return false;
    this.#endedAt = null;
    return true;
  }

  /** Starts the task in a thread of its own; nothing if the same is under way. */
  start(task: Task, job: JobName | null, which: Data["which"] = "ended"): void {
    const name = job === null ? task : `${task} ${job}`;
    if (this.#underway.has(name)) return;
    const data: Data = { task, job, which, settings: this.#engine.settings, budget: this.#budget };
    this.#underway.set(name, data);
    const begin = async (): Promise<void> => {
      await this.#bree.add({ name, path: `${jobsFolder}/${task}.${extension}`, worker: { workerData: data } });
      await this.#bree.run(name);
    };
    begin().catch((error: unknown) => {
      this.#engine.log.error({ event: "task-failed", task: name, err: error }, "a task could not be started");
      void this.#ended(name);
    });
  }

  /** Ends retention, packing and verify at their next block, and waits until the rest has ended by itself: each dump has a time limit of its own. */
  async close(): Promise<void> {
    endWork(this.#budget);
    if (this.#underway.size > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    await this.#bree.stop();
  }

  async #ended(name: string): Promise<void> {
    const data = this.#underway.get(name);
    if (!data) return;
    await this.#bree.remove(name).catch(() => undefined);
    this.#underway.delete(name);
    this.#endedAt = this.#engine.ports.clock.monotonic();
    this.#onEnded(data.task, data.job);
    if (this.#underway.size === 0) this.#idle?.();
  }
}
