import type { Generation } from "./generation.ts";
import { soundNumbers } from "./restorable.ts";
import { planRetention, type RetentionFacts, type RetentionPlan } from "./retention.ts";

/** What leaves the offer, and what must happen so that every kept point still resolves to the same bytes. */
export type ExpirePlan = RetentionPlan & {
  /** Generations that read pages of what goes: each takes them over, and then stands on `parent` (`null`: it becomes a base). Newest first. */
  readonly folds: readonly { readonly number: number; readonly parent: number | null }[];
  /** Directories to delete after the folds, newest first, so that nothing ever stands on what is gone. */
  readonly sweeps: readonly number[];
  /** Withdrawn, and yet not deleted. */
  readonly spared: readonly { readonly number: number; readonly why: string }[];
};

/** `generations`: all of the job whose directories are there, whatever their state; `points` among them are those the policy may choose from. */
export type ExpireFacts = RetentionFacts & { readonly generations: readonly Generation[] };

/**
 * Retention, and the order of work that carries it out. What an earlier pass withdrew and a crash kept from being swept is in it again.
 * A generation that a damaged one stands on is spared, unless that one goes too: a repair of the damage must find it.
 */
export function planExpire(facts: ExpireFacts): ExpirePlan {
  const retention = planRetention(facts);
  const withdrawn = new Set([
    ...retention.expired.map((one) => one.number),
    ...facts.generations.filter((one) => one.state === "expired").map((one) => one.number),
  ]);
  return { ...retention, ...planFolds(facts.generations, withdrawn) };
}

/** The same for generations chosen by hand. */
export function planFolds(
  generations: readonly Generation[],
  withdrawn: ReadonlySet<number>,
): Pick<ExpirePlan, "folds" | "sweeps" | "spared"> {
  const byNumber = new Map(generations.map((one) => [one.number, one]));
  const newestFirst = generations.toSorted((a, b) => b.number - a.number);
  const sound = soundNumbers(generations);
  const spared = new Map<number, string>();
  for (const one of newestFirst) {
    if (sound.has(one.number) || (withdrawn.has(one.number) && !spared.has(one.number))) continue;
    const what = one.state === "damaged" ? "which is damaged" : "which stands on damage";
    for (const below of ancestors(one, byNumber))
      if (withdrawn.has(below)) spared.set(below, `generation ${one.number}, ${what}, stands on it`);
  }
  const going = new Set([...withdrawn].filter((number) => byNumber.has(number) && !spared.has(number)));
  const folds = newestFirst
    .filter((one) => sound.has(one.number) && !going.has(one.number) && one.parent !== null && going.has(one.parent))
    .map((one) => ({ number: one.number, parent: ancestors(one, byNumber).find((number) => !going.has(number)) ?? null }));
  return {
    folds,
    sweeps: newestFirst.filter((one) => going.has(one.number)).map((one) => one.number),
    spared: [...spared].map(([number, why]) => ({ number, why })),
  };
}

/** Numbers below a generation in its chain, nearest first. */
function ancestors(of: Generation, byNumber: ReadonlyMap<number, Generation>): readonly number[] {
  const numbers: number[] = [];
  for (let at = of.parent; at !== null && !numbers.includes(at); at = byNumber.get(at)?.parent ?? null) numbers.push(at);
  return numbers;
}
