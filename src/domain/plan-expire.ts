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

/**
 * `generations`: all of the job whose directories are there, whatever their state; `points` among them are those the policy may choose from.
 * `gone`: those whose directories should be there and are not.
 */
export type ExpireFacts = RetentionFacts & {
  readonly generations: readonly Generation[];
  readonly gone?: readonly Generation[];
};

/**
 * Retention, and the order of work that carries it out. What an earlier pass withdrew and a crash kept from being swept is in it again.
 * A generation that a damaged one stands on is spared, unless that one goes too: a repair of the damage must find it.
 */
export function planExpire(facts: ExpireFacts): ExpirePlan {
  const retained = planRetention(facts);
  const retention = { ...retained, expired: [...retained.expired, ...failedThatGo(facts)].toSorted((a, b) => a.number - b.number) };
  const withdrawn = new Set([
    ...retention.expired.map((one) => one.number),
    ...facts.generations.filter((one) => one.state === "expired").map((one) => one.number),
  ]);
  return { ...retention, ...planFolds(facts.generations, withdrawn, facts.gone) };
}

/**
 * Points that did not come back are no restore points, and take no place from one: they go when a newer point is proven, or when the policy would
 * not keep them if they were sound. While there is no restore point at all they stay: a person may still try them. Held ones stay.
 */
function failedThatGo(facts: ExpireFacts): readonly { readonly number: number; readonly reason: string }[] {
  const failed = facts.generations.filter((one) => one.state === "failed" && !one.held);
  if (failed.length === 0 || facts.points.length === 0) return [];
  const proven = Math.max(...facts.points.filter((one) => one.provenAt !== null).map((one) => one.number));
  // That a run came from it is no reason to keep it: that is how it failed.
  const asIfSound = planRetention({ ...facts, points: [...facts.points, ...failed], restoredFrom: new Set() });
  const unwanted = new Set(asIfSound.expired.map((one) => one.number));
  return failed.flatMap(({ number }) => {
    if (number < proven) return [{ number, reason: `it did not come back, and point ${proven} did` }];
    return unwanted.has(number) ? [{ number, reason: "it did not come back, and no rule of the policy wants it" }] : [];
  });
}

/** The same for generations chosen by hand. */
export function planFolds(
  generations: readonly Generation[],
  withdrawn: ReadonlySet<number>,
  gone: readonly Generation[] = [],
): Pick<ExpirePlan, "folds" | "sweeps" | "spared"> {
  const byNumber = new Map(generations.map((one) => [one.number, one]));
  // What stood on one that is gone needs what that one stood on, should it be put back.
  const allByNumber = new Map([...gone, ...generations].map((one) => [one.number, one]));
  const newestFirst = generations.toSorted((a, b) => b.number - a.number);
  const sound = soundNumbers(generations);
  const spared = new Map<number, string>();
  for (const one of newestFirst) {
    if (sound.has(one.number) || (withdrawn.has(one.number) && !spared.has(one.number))) continue;
    const what = one.state === "damaged" ? "which is damaged" : "which stands on damage";
    for (const below of ancestors(one, allByNumber))
      if (withdrawn.has(below)) spared.set(below, `generation ${one.number}, ${what}, stands on it`);
  }
  const going = new Set([...withdrawn].filter((number) => byNumber.has(number) && !spared.has(number)));
  // What `--auto-dedup` has consumed is of use to what stands on it alone, and goes with the last of these.
  for (const one of newestFirst) {
    if (one.state !== "consumed") continue;
    if (generations.every(({ number, parent }) => parent !== one.number || going.has(number))) going.add(one.number);
  }
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
