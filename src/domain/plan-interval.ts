import { bestInterval, type BestInterval, type IntervalRules } from "./best-interval.ts";
import type { GenerationCost } from "./generation-cost.ts";
import type { Failures } from "./failures.ts";

export type IntervalPlanFacts = {
  /** `null`: no generation has told yet. */
  readonly cost: GenerationCost | null;
  readonly failures: Failures;
  /** Takes that failed in a row, up to now. */
  readonly failedTakes: number;
};

/** The interval a job is to have now, milliseconds; `best`: how it came about, `null` while nothing is known of the cost. */
export type IntervalPlan = IntervalPlanFacts & { readonly every: number; readonly best: BestInterval | null };

/**
 * `every = "auto"` as a number. As long as no generation has told what one costs, the shortest interval that is allowed, so that one does
 * soon; if the takes fail, twice as long after each.
 */
export function planInterval(facts: IntervalPlanFacts, rules: IntervalRules): IntervalPlan {
  const { cost, failures, failedTakes } = facts;
  if (cost === null) return { ...facts, every: Math.min(rules.maxEvery, rules.minEvery * 2 ** failedTakes), best: null };
  const best = bestInterval({ ...cost, mtbf: failures.mtbf }, rules);
  return { ...facts, every: best.every, best };
}
