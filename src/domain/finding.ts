/**
 * One thing seen in a process tree that CRIU must be told about, or cannot do.
 * `handled`: options are derived, nothing to do; `caution`: protected, but the user should know; `refused`: no dump is tried.
 */
export type Finding = {
  /** Stable name, one chapter each in `docs/findings.md`. */
  readonly code: string;
  readonly level: "handled" | "caution" | "refused";
  /** Which process and what, in words. */
  readonly what: string;
  readonly remedy: string;
  /** CRIU options for the dump and, again, for the restore. */
  readonly dumpOptions: readonly string[];
  readonly restoreOptions: readonly string[];
};
