import type { JobName } from "./job.ts";

/** A running job that waits for its take. Times in milliseconds. */
export type Waiting = {
  readonly job: JobName;
  /** The work that would be lost with it now. */
  readonly exposure: number;
  /** How long its take is expected to last; `null`: nothing is known of it. */
  readonly predicted: number | null;
};

/** What one take of the past was, from the call to the seal, as far as is written down; milliseconds. */
export type PastTake = { readonly kind: "base" | "increment"; readonly milliseconds: number };

export type Skipped = Waiting & {
  /** What was left of the time when it was passed over. */
  readonly left: number;
};

export type NextTake = {
  readonly begin: Waiting | null;
  readonly skipped: readonly Skipped[];
  readonly waiting: readonly Waiting[];
};

/** Half as much again, since several are taken at a time, and a second for what comes before the dump. */
const marginFactor = 1.5;
const marginMilliseconds = 1_000;
/** With less than this left nothing is begun: the job would be frozen for a dump that cannot end in time. */
const leastMilliseconds = 1_000;

/**
 * How long the next take of a job should last: the longest of `past` of its kind, with a margin. An increment without history counts as
 * a base; a base is never guessed from increments (`null`).
 */
export function predictTake(past: readonly PastTake[], kind: PastTake["kind"]): number | null {
  const alike = past.filter((one) => one.kind === kind);
  const known = alike.length > 0 ? alike : past.filter((one) => one.kind === "base");
  if (known.length === 0) return null;
  return Math.ceil(Math.max(...known.map((one) => one.milliseconds)) * marginFactor + marginMilliseconds);
}

/** Greatest exposure first: the job whose loss would be greatest. Those nothing is known of come last, in the same order. */
export function orderTakes(jobs: readonly Waiting[]): readonly Waiting[] {
  const unknown = (one: Waiting): number => (one.predicted === null ? 1 : 0);
  return jobs.toSorted((a, b) => unknown(a) - unknown(b) || b.exposure - a.exposure || (a.job < b.job ? -1 : 1));
}

/**
 * The take to begin now that a place is free, of `waiting` in their order. `left`: milliseconds until the deadline, `null`: there is none.
 * What does not fit now will not fit later and is passed over for good.
 */
export function nextTake(waiting: readonly Waiting[], left: number | null): NextTake {
  if (left === null) return { begin: waiting[0] ?? null, skipped: [], waiting: waiting.slice(1) };
  const fits = (one: Waiting): boolean => left >= leastMilliseconds && (one.predicted ?? 0) <= left;
  const at = waiting.findIndex(fits);
  const passed = at < 0 ? waiting : waiting.slice(0, at);
  const skipped = passed.map((one) => ({ ...one, left }));
  return at < 0 ? { begin: null, skipped, waiting: [] } : { begin: waiting[at] ?? null, skipped, waiting: waiting.slice(at + 1) };
}

/** Why a job was passed over, for people. */
export function whySkipped({ predicted, left }: Pick<Skipped, "predicted" | "left">): string {
  const rest = `${seconds(Math.max(0, left))} left`;
  return predicted === null ? rest : `predicted ${seconds(predicted)}, ${rest}`;
}

function seconds(milliseconds: number): string {
  return `${Math.round(milliseconds / 100) / 10} s`;
}
