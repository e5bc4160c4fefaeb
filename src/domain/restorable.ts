import type { Generation } from "./generation.ts";

/**
 * L1: the generations that may be offered, oldest first: sealed, and every one below them in the chain is there and not damaged.
 *
 * An ancestor that is `failed` still carries its pages (a restore failed for other reasons than damage), and one that is `expired` was only
 * withdrawn from the offer: neither breaks the chain. `generations` are all of one job, those whose directory is gone left out.
 */
export function restorePoints(generations: readonly Generation[]): readonly Generation[] {
  const sound = soundNumbers(generations);
  return oldestFirst(generations).filter((one) => one.state === "sealed" && sound.has(one.number));
}

/** Numbers of the generations whose pages, and whose chain's pages, can be read. */
export function soundNumbers(generations: readonly Generation[]): ReadonlySet<number> {
  const sound = new Map<number, Generation>();
  // A parent's number is always lower, so one pass upward settles every chain, and a circle never counts as sound.
  for (const one of oldestFirst(generations)) {
    if (one.state === "damaged") continue;
    if (one.kind === "base" ? one.parent === null : one.parent !== null && one.parent < one.number && sound.has(one.parent)) {
      sound.set(one.number, one);
    }
  }
  return new Set(sound.keys());
}

function oldestFirst(generations: readonly Generation[]): readonly Generation[] {
  return generations.toSorted((a, b) => a.number - b.number);
}
