import type { Schedule } from "./schedule.ts";

/** The name of a job: `[A-Za-z0-9._-]{1,64}`, not starting with `.` or `-`; safe as a folder's name. */
export type JobName = string & { readonly __jobName: true };

/** How one generation's memory is told from its parent's: the kernel's soft-dirty bits, or a page compare. */
export type Tracking = "soft-dirty" | "compare";

/** What the user asked for; the only thing about a job that is not read off the machine. */
export type Job = {
  readonly name: JobName;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** `launched`: `holdfast run` started it, in namespaces of its own; `adopted`: `holdfast protect` took it on. */
  readonly origin: "launched" | "adopted";
  /** Empty for an adopted job whose command line could not be read. */
  readonly command: readonly string[];
  readonly cwd: string;
  /** The whole environment a launched job starts with. */
  readonly env: Readonly<Record<string, string>>;
  readonly user: string | null;
  /** Resource limits as `prlimit` writes them: `{ nofile: "4096", core: "0" }`. */
  readonly limits: Readonly<Record<string, string>>;
  /** Where standard output and standard error go; `null` for an adopted job. */
  readonly output: string | null;
  readonly error: string | null;
  readonly schedule: Schedule | null;
  /** The retention rules as written, for example `last=6, daily=7`. */
  readonly keep: string;
  /** Generations in one chain, base included; then a base. */
  readonly maxChain: number;
  /**
   * How space comes back. `exact`: thin and fold, which harm no point. `in-dump`: CRIU's own `--auto-dedup`, which takes the pages of the
   * point before while it dumps; only where the newest point alone is kept.
   */
  readonly dedup: "exact" | "in-dump";
  /**
   * Are dumps prepared by CRIU's pre-dumps, so that the job stands still for less? `auto`: where the last freeze was long; `read` and `splice`
   * always, in that of CRIU's two ways. Only where the kernel has soft-dirty.
   */
  readonly preDump: "off" | "auto" | "read" | "splice";
  /** What the service does when the job has vanished: bring it back, or wait for a person. */
  readonly onCrash: "restore" | "ask";
  /** `cold`: what has grown old is packed (`plan-pack.ts`); missing: as the settings say. */
  readonly compress?: "off" | "cold";
  /** Milliseconds of work at risk from which on `status` is red; `auto`: some intervals, see `exposure.ts`; `null`: none. */
  readonly exposureLimit: number | "auto" | null;
  readonly files: FileRules;
  /** What it is meant to do: `stopped` jobs are not brought back; `retired` ones are forgotten but for their points. */
  readonly intent: "run" | "stopped" | "retired";
};

export type FileRules = {
  /** Globs of files captured whole though the job does not hold them open. */
  readonly include: readonly string[];
  /** Globs of files never captured. */
  readonly exclude: readonly string[];
  /** Largest file copied whole, in bytes. */
  readonly limitBytes: number;
};

/** What became of a job, as `status` shows it. `crashed`: it vanished, and no exit status was recorded. */
export type JobState = "running" | "finished" | "failed" | "crashed" | "stopped" | "retired";
