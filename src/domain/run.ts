/** What makes a process the same process: the pid alone is used again. */
export type ProcessIdentity = {
  /** As the host sees it. */
  readonly pid: number;
  /** Field 22 of `/proc/PID/stat`, clock ticks since boot. */
  readonly startTicks: number;
  /** `/proc/sys/kernel/random/boot_id`. */
  readonly bootId: string;
};

/** How a process tree's root ended. */
export type Ending = { readonly type: "exited"; readonly status: number } | { readonly type: "signaled"; readonly signal: number };

/** One unbroken life of a job's process tree, from start or restore to exit. Each run extends one timeline. */
export type Run = {
  readonly number: number;
  readonly timeline: number;
  readonly startedAt: number;
  /** The point it was restored from; `null` for a start. */
  readonly from: number | null;
  /** The init of the job's namespaces; `null` for an adopted tree, which lives in the host's. */
  readonly init: ProcessIdentity | null;
  /** The root of the job's tree. */
  readonly root: ProcessIdentity;
  /** The root's pid as the job's own pid namespace numbers it: what CRIU's images call it. */
  readonly rootVpid: number;
  readonly endedAt: number | null;
  /** `null` while it runs, and for a run that vanished. */
  readonly ending: Ending | null;
};

/** What a restore writes down before it brings anything to life: all that is known of a run that a crash kept from being written down. */
export type Beginning = {
  /** The point. */
  readonly from: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Who asked: a person, or the service after a crash. */
  readonly by: "person" | "service";
};
