import { formatDuration } from "./duration.ts";
import { formatPercent } from "./share.ts";

/** What the settings say of `every = "auto"`; durations in milliseconds, all from 1 up. */
export type IntervalRules = {
  /** Mean time between failures, as long as nothing else is known. */
  readonly mtbf: number;
  readonly minEvery: number;
  readonly maxEvery: number;
  /** 0 to 1: the part of the job's time that generations may cost. */
  readonly maxOverhead: number;
};

export type IntervalFacts = {
  /** What one generation costs the job: the time it stands still, and what it is slowed down outside that. */
  readonly cost: number;
  /** How long a take lasts, from the freeze to the seal; the job runs for most of it. */
  readonly lasts: number;
  readonly mtbf: number;
};

/** `cost`: the optimum itself; the others are bounds it ran into. */
export type IntervalRuler = "cost" | "min-every" | "take" | "max-overhead" | "max-every";

/** Milliseconds, from the beginning of one generation to that of the next. */
export type BestInterval = {
  readonly every: number;
  readonly ruledBy: IntervalRuler;
  readonly why: string;
  /** Before the bounds and the rounding. */
  readonly optimum: number;
  /** 0 to 1: the part of the job's time that generations cost. */
  readonly overhead: number;
  /** Work that one failure is expected to cost. */
  readonly loss: number;
};

/** A take may fill half of the interval: the machine rests as long as it worked, and one is over before the next falls due. */
const takesPerInterval = 2;

/**
 * The interval that costs a job the least time, generations and failures together, within the bounds. Of the bounds `max-every` is the
 * stronger one: it limits what can be lost. Rounded to a duration that people use, which keeps the grid of due times steady while the
 * measured cost wavers: near the optimum the curve is so flat that a tenth to either side costs nothing that could be measured.
 */
export function bestInterval({ cost, lasts, mtbf }: IntervalFacts, rules: IntervalRules): BestInterval {
  // The formula counts the work between two generations, a schedule from one to the next: their cost lies between.
  const optimum = dalyInterval(cost, mtbf) + cost;
  const lower: readonly (readonly [IntervalRuler, number])[] = [
    ["min-every", rules.minEvery],
    ["take", takesPerInterval * lasts],
    ["max-overhead", cost === 0 ? 0 : cost / rules.maxOverhead],
  ];
  const [lowest, low] = lower.reduce((best, one) => (one[1] > best[1] ? one : best));
  const ruledBy = Math.max(low, optimum) > rules.maxEvery ? "max-every" : optimum < low ? lowest : "cost";
  const every = within(Math.ceil(low), optimum, rules.maxEvery);
  return { every, ruledBy, why: whys[ruledBy](rules), optimum, ...expectation(every, cost, mtbf) };
}

/** What an interval brings, from the beginning of one generation to that of the next: `overhead` and `loss` of {@link BestInterval}. */
export function expectation(every: number, cost: number, mtbf: number): Pick<BestInterval, "overhead" | "loss"> {
  // The mean time since the last point at a failure, failures coming at any moment alike: half the interval where that is short.
  return { overhead: Math.min(1, cost / every), loss: mtbf - every / Math.expm1(every / mtbf) };
}

/** J. W. Young, 1974: the work between two generations that costs the least time; all in one unit of time. */
export function youngInterval(cost: number, mtbf: number): number {
  return Math.sqrt(2 * cost * mtbf);
}

/**
 * J. T. Daly, 2004 (Future Generation Computer Systems 22, pages 303 to 312): the higher-order form, as Young's, and good also where
 * failures are so frequent that they hit restarts and generations. How long a restart takes drops out. It steps where a generation costs
 * as much as two failures are apart: from there on no interval brings a job forward, and the answer is the mean time between failures.
 */
export function dalyInterval(cost: number, mtbf: number): number {
  if (cost >= 2 * mtbf) return mtbf;
  const ratio = cost / (2 * mtbf);
  return youngInterval(cost, mtbf) * (1 + Math.sqrt(ratio) / 3 + ratio / 9) - cost;
}

/** The duration people use that is nearest, by its ratio, to `wanted`; where none lies between the bounds, the bound itself. */
function within(low: number, wanted: number, high: number): number {
  const fitting = rungs.filter((rung) => rung >= low && rung <= high);
  const distance = (rung: number): number => Math.abs(Math.log(rung / wanted));
  const [first, ...others] = fitting;
  const nearest = first && others.reduce((best, rung) => (distance(rung) < distance(best) ? rung : best), first);
  return nearest ?? Math.min(high, Math.max(low, Math.round(wanted)));
}

const [second, minute, hour, day] = [1_000, 60_000, 3_600_000, 86_400_000];
const steps = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50];
const rungs: readonly number[] = [
  ...steps.map((count) => count * second),
  ...[...steps, 75, 90].map((count) => count * minute),
  ...[1, 2, 2.5, 3, 4, 5, 6, 8, 10, 12, 15, 18].map((count) => count * hour),
  ...[1, 1.5, 2, 3, 4, 5, 7, 10, 14, 21, 30].map((count) => count * day),
].toSorted((a, b) => a - b);

const whys: Readonly<Record<IntervalRuler, (rules: IntervalRules) => string>> = {
  cost: () => "the least time lost to generations and failures together",
  "min-every": ({ minEvery }) => `more often than every ${formatDuration(minEvery)} is not allowed (interval.min-every)`,
  take: () => "a take lasts half as long: it must be over before the next falls due",
  "max-overhead": ({ maxOverhead }) =>
    `more often would cost more than ${formatPercent(maxOverhead)} of its time (interval.max-overhead)`,
  "max-every": ({ maxEvery }) => `more seldom than every ${formatDuration(maxEvery)} is not allowed (interval.max-every)`,
};
