/** What one generation of the past cost its job, milliseconds. */
export type PastCost = {
  /** As it was taken: a fold may have made a base of an increment since. */
  readonly kind: "base" | "increment";
  /** The job stood still. */
  readonly freeze: number;
  /** Time it lost outside the freeze, see {@link slowdownOf}. */
  readonly slowdown: number;
  /** From the freeze to the seal, the freeze included. */
  readonly lasts: number;
};

/** What the next generations are expected to cost, on the average; `freeze` and `slowdown` together are the cost. */
export type GenerationCost = Omit<PastCost, "kind"> & { readonly cost: number; readonly generations: number };

/**
 * The mean of a whole chain: one base and `maxChain - 1` increments, each at the median of `past`, so that one that was hindered moves
 * nothing. Where only one kind is known, all are like it. `null` without any.
 */
export function generationCost(past: readonly PastCost[], maxChain: number): GenerationCost | null {
  if (past.length === 0) return null;
  const [bases, increments] = (["base", "increment"] as const).map((kind) => past.filter((one) => one.kind === kind));
  const mean = (what: (one: PastCost) => number): number => {
    const [base, increment] = [median((bases ?? []).map(what)), median((increments ?? []).map(what))];
    return ((base ?? increment ?? 0) + (maxChain - 1) * (increment ?? base ?? 0)) / maxChain;
  };
  const [freeze, slowdown, lasts] = [mean((one) => one.freeze), mean((one) => one.slowdown), mean((one) => one.lasts)];
  return { freeze, slowdown, lasts, cost: freeze + slowdown, generations: past.length };
}

/** How busy the machine and this process have been up to a moment; differences count. Microseconds, from any start. */
export type ProcessorReading = {
  readonly at: number;
  readonly cores: number;
  /** Time of all cores together in which they worked. */
  readonly busy: number;
  /** Of that, this process. */
  readonly own: number;
};

/**
 * Time that a job lost to what this process did between two readings, in whole microseconds. Where a core was idle nobody waited for one, and
 * nothing was lost. Where all were busy, each second of ours was taken from somebody: from the job, it is assumed, and from the one of its
 * threads that all others wait for. So this is what a job in lockstep can lose at most; what it waits for a disk is not in it.
 */
export function slowdownOf(before: ProcessorReading, after: ProcessorReading): number {
  const wall = after.at - before.at;
  if (wall <= 0) return 0;
  const idleCores = before.cores - (after.busy - before.busy) / wall;
  const share = Math.min(1, Math.max(0, 1 - idleCores));
  return Math.round(share * Math.max(0, after.own - before.own));
}

function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.floor(sorted.length / 2)]];
  return low === undefined || high === undefined ? null : (low + high) / 2;
}
