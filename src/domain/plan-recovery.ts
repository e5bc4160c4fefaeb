import type { FaultCode } from "../faults/table.ts";
import { formatDuration } from "./duration.ts";
import type { Generation } from "./generation.ts";
import type { Job, JobName, JobState } from "./job.ts";
import { lineage } from "./lineage.ts";
import type { Beginning, Run } from "./run.ts";

/** What the settings say of recoveries; times in milliseconds. */
export type RecoverRules = {
  /** From the crash to the first try; each failed try doubles it. */
  readonly delay: number;
  /** A job that dies sooner than this after it came back did not come back. */
  readonly settle: number;
  /** Tries in a row. */
  readonly attempts: number;
};

/** One try, as it was written down. */
export type RecoveryTry = {
  readonly at: number;
  readonly point: number | null;
  readonly outcome: "restored" | "failed";
  readonly code: string | null;
  readonly message: string;
};

export type RecoveryFacts = {
  readonly job: Pick<Job, "name" | "intent" | "onCrash">;
  readonly state: JobState;
  /** All runs of the job; the newest as it was seen just now. */
  readonly runs: readonly Run[];
  /** Who began the newest run; `null`: nobody restored it, or it is not known. */
  readonly by: Beginning["by"] | null;
  readonly generations: readonly Generation[];
  /** The restore points among them. */
  readonly points: readonly Generation[];
  /** Newest first. */
  readonly tries: readonly RecoveryTry[];
  readonly bootId: string;
};

/** `none`: nothing is to be brought back. `ask`: a person decides; `command` is what to type. */
export type RecoveryPlan =
  | { readonly type: "none" }
  | { readonly type: "restore"; readonly point: number; readonly at: number; readonly attempt: number; readonly attempts: number }
  | { readonly type: "ask"; readonly why: string; readonly command: string };

/** However often it failed: an hour is waited at most. */
const longestPause = 3_600_000;

/**
 * What the service does about a job that has vanished, and when: its newest point that nothing speaks against, `delay` after the crash;
 * after each try that failed twice as long; after `attempts` of them a person is asked. Tries are counted in the order in which they were written
 * down, so a step of the clock forgets none; one that puts the clock back only ends a wait early.
 */
export function planRecovery(facts: RecoveryFacts, rules: RecoverRules, now: number): RecoveryPlan {
  const { job } = facts;
  const run = facts.runs.toSorted((a, b) => a.number - b.number).at(-1);
  const ask = (why: string, verb: "restore" | "retire" = "restore"): RecoveryPlan => ({
    type: "ask",
    why,
    command: `holdfast ${verb} ${job.name}`,
  });
  if (job.intent !== "run" || !hasVanished(facts, run, rules)) return { type: "none" };
  if (run === undefined) return ask("its start did not come to an end", "retire");
  const failed = triesInARow(facts.tries);
  const [last] = failed;
  const point = candidate(facts, failed);
  if (point === undefined) return ask(last?.message ?? "there is no restore point", facts.points.length > 0 ? "restore" : "retire");
  if (job.onCrash === "ask") return ask("on-crash is ask");
  const doubt = whyEndUnknown(run, facts, failed);
  if (doubt !== null) return ask(doubt);
  if (failed.length >= rules.attempts) return ask(`${failed.length} tries failed, the last one: ${last?.message ?? ""}`);
  const since = Math.max(run.endedAt ?? now, last?.at ?? 0);
  const pause = Math.min(longestPause, rules.delay * 2 ** failed.length);
  const at = since > now ? now : since + pause;
  return { type: "restore", point: point.number, at, attempt: failed.length + 1, attempts: rules.attempts };
}

/** A job that ended by itself is never brought back, unless it came back just before, and so did not really. */
function hasVanished({ state, by }: RecoveryFacts, run: Run | undefined, rules: RecoverRules): boolean {
  if (state === "crashed") return true;
  return state === "failed" && run !== undefined && by === "service" && diedSoon(run, rules.settle);
}

function diedSoon({ from, startedAt, endedAt, ending }: Run, settle: number): boolean {
  if (from === null || endedAt === null) return false;
  if (ending?.type === "exited" && ending.status === 0) return false;
  // Below zero the clock was put back meanwhile, and nobody knows how long it lived.
  return endedAt >= startedAt && endedAt - startedAt < settle;
}

/** Newest first. A run that died again is the end of the try that brought it back, and one with it. */
function triesInARow(tries: readonly RecoveryTry[]): readonly RecoveryTry[] {
  const failed: RecoveryTry[] = [];
  for (let index = 0; index < tries.length; index++) {
    const [one, before] = [tries[index], tries[index + 1]];
    if (one === undefined || one.outcome === "restored") break;
    failed.push(one);
    if (one.code === "died-again" && before?.outcome === "restored" && before.point === one.point) index += 1;
  }
  return failed;
}

/** Points that a try of this row speaks against are passed over even where the mark could not be written. */
function candidate(facts: RecoveryFacts, failed: readonly RecoveryTry[]): Generation | undefined {
  const passed = new Set(failed.filter((one) => blame(one.code) !== "none").map((one) => one.point));
  return lineage(facts.runs, facts.generations, facts.points).find((point) => !passed.has(point.number));
}

/**
 * A tree that was taken on while it ran has no init of ours to tell how it ended. It went down with the machine for certain only if
 * nobody saw it gone before that (`end-unknown` is written down then) and if it ever ran here (images made by hand did not).
 */
function whyEndUnknown(run: Run, { bootId }: RecoveryFacts, failed: readonly RecoveryTry[]): string | null {
  if (run.init !== null) return null;
  const known = run.root.startTicks > 0 && run.root.bootId !== bootId && !failed.some((one) => one.code === "end-unknown");
  return known ? null : "whether it ended by itself or was killed is not known";
}

/** Every fault that is not in it speaks of the machine, of its disks and files, or of what else is at work: the same point is tried again. */
const speaksOfPoint: Partial<Record<FaultCode, "failed" | "passed">> = {
  "restore-failed": "failed",
  "restore-timeout": "failed",
  "image-malformed": "failed",
  "died-again": "failed",
  // Marked damaged when they were found.
  "point-damaged": "passed",
  "chain-broken": "passed",
  "manifest-forged": "passed",
  "point-unknown": "passed",
  // An older point may need less of the file; this one is good again once the file is.
  "file-unrestorable": "passed",
};

/** What a fault of a try says of its point: `failed`: mark it so; `passed`: try an older one; `none`: nothing. */
export function blame(code: string | null): "failed" | "passed" | "none" {
  return Object.entries(speaksOfPoint).find(([known]) => known === code)?.[1] ?? "none";
}

export type ComebackFacts = Pick<RecoveryFacts, "by" | "bootId"> & {
  readonly intent: Job["intent"];
  /** The newest run, as it was seen just now. */
  readonly run: Run;
  /** The point it was restored from. */
  readonly point: Pick<Generation, "state" | "provenAt">;
};

/**
 * What a restored run says of its point: `proven`: it lived long enough; `failed`: the service brought it back, and it died again;
 * `withdrawn`: the same after a restore that a person typed, where the point was called proven at once; `null`: nothing new.
 *
 * A run that went down with the machine says nothing, and so it is with one that was stopped.
 */
export function judgeComeback(facts: ComebackFacts, settle: number, now: number): "proven" | "failed" | "withdrawn" | null {
  const { run, by, point, intent, bootId } = facts;
  const { startedAt, endedAt, ending } = run;
  if (run.from === null || point.state !== "sealed") return null;
  const isProven = point.provenAt !== null && point.provenAt >= startedAt;
  if (diedSoon(run, settle)) {
    if (intent !== "run" || run.root.bootId !== bootId) return null;
    if (by === "service") return "failed";
    return isProven ? "withdrawn" : null;
  }
  const finished = ending?.type === "exited" && ending.status === 0;
  const lived = (endedAt ?? now) - startedAt >= settle;
  return by === "service" && !isProven && (lived || finished) ? "proven" : null;
}

/** `the service brings it back from point 41 in 8s`; `null`: there is nothing to say. */
export function recoveryOutlook(plan: RecoveryPlan, now: number): string | null {
  if (plan.type === "none") return null;
  if (plan.type === "ask") return `it waits for you (${plan.why}): \`${plan.command}\``;
  const seconds = Math.ceil((plan.at - now) / 1000);
  const when = seconds > 0 ? `in ${formatDuration(seconds * 1000)}` : "now";
  const which = plan.attempt > 1 ? ` (try ${plan.attempt} of ${plan.attempts})` : "";
  return `the service (\`holdfast serve\`) brings it back from point ${plan.point} ${when}${which}`;
}

/** A job that is to be brought back, with the work it has lost by its crash in milliseconds. */
export type Waiting = { readonly job: JobName; readonly at: number; readonly lost: number };

/** Whose turn it is: the one that waits longest, of those who wait as long (after a reboot all do) the one that lost most; then by name. */
export function nextRecoveries(waiting: readonly Waiting[], now: number, places: number): readonly JobName[] {
  return waiting
    .filter((one) => one.at <= now)
    .toSorted((a, b) => a.at - b.at || b.lost - a.lost || (a.job < b.job ? -1 : 1))
    .slice(0, Math.max(0, places))
    .map((one) => one.job);
}
