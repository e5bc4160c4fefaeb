import type { Run } from "./run.ts";

/** What this machine's own jobs say of failures; milliseconds. */
export type Failures = {
  readonly failures: number;
  /** Time that jobs ran, all together. */
  readonly observed: number;
  /** The mean time between failures, the setting and these together. */
  readonly mtbf: number;
};

/**
 * The mean time between failures of one job, learned from the runs of all: the setting counts as one failure that was seen after so long a
 * time. (The mean of the posterior for failures that come at random, with an inverse gamma of shape 2 as the prior.) So the first failure
 * after a day says something at once, and years without one are believed as well.
 *
 * A failure is a run that vanished: a power cut, a reboot, `kill -9` of all of it (that of `stop --kill` cannot be told from these). A
 * job that ended by itself, whatever its status, has not; and a tree that runs outside our init tells nothing.
 */
export function learnFailures(
  setting: number,
  runs: readonly Pick<Run, "init" | "startedAt" | "endedAt" | "ending">[],
  now: number,
): Failures {
  const ours = runs.filter((run) => run.init !== null);
  const failures = ours.filter(({ endedAt, ending }) => endedAt !== null && ending === null).length;
  const observed = ours.reduce((sum, { startedAt, endedAt }) => sum + Math.max(0, (endedAt ?? now) - startedAt), 0);
  return { failures, observed, mtbf: (setting + observed) / (1 + failures) };
}
