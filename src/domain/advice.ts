import { bestInterval, type BestInterval, expectation, type IntervalRules } from "./best-interval.ts";
import type { GenerationCost } from "./generation-cost.ts";
import type { IntervalPlan } from "./plan-interval.ts";
import type { Schedule } from "./schedule.ts";

/** The best interval if failures came so often. Milliseconds. */
export type AdviceRow = {
  readonly mtbf: number;
  readonly best: BestInterval;
  /** The same for a freeze half as long: what a faster staging, or pre-dumps, would buy. */
  readonly shorterFreeze: BestInterval;
};

export type Advice = {
  readonly plan: IntervalPlan;
  /** For a failure a day, a week, and each thirty days; none while nothing is known of the cost. */
  readonly rows: readonly AdviceRow[];
  /** For the time between failures that is believed of this machine. */
  readonly own: AdviceRow | null;
  /** What the job has now, if that is an interval and the cost is known. */
  readonly now: (Pick<BestInterval, "overhead" | "loss"> & { readonly every: number }) | null;
};

const day = 86_400_000;
const examples = [day, 7 * day, 30 * day];

/** Explains a plan. `interval`: what is in force where the schedule is `auto`, `null`: nothing yet. */
export function adviseOn(plan: IntervalPlan, schedule: Schedule | null, interval: number | null, rules: IntervalRules): Advice {
  const { cost, failures } = plan;
  if (cost === null) return { plan, rows: [], own: null, now: null };
  const row = (mtbf: number): AdviceRow => ({
    mtbf,
    best: bestInterval({ ...cost, mtbf }, rules),
    shorterFreeze: bestInterval({ ...withHalfTheFreeze(cost), mtbf }, rules),
  });
  const every = schedule?.type === "every" ? schedule.milliseconds : schedule?.type === "auto" ? interval : null;
  const now = every === null ? null : { every, ...expectation(every, cost.cost, failures.mtbf) };
  return { plan, rows: examples.map(row), own: row(failures.mtbf), now };
}

function withHalfTheFreeze({ cost, lasts, freeze }: GenerationCost): { readonly cost: number; readonly lasts: number } {
  return { cost: cost - freeze / 2, lasts: lasts - freeze / 2 };
}
