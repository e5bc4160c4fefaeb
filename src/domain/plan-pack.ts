import { chainBelow } from "./chain-below.ts";
import { formatDuration } from "./duration.ts";
import type { Generation } from "./generation.ts";
import type { Head } from "./head.ts";
import type { JobState } from "./job.ts";
import { restorePoints } from "./restorable.ts";

/** What packing one file of each cold generation is decided by. */
export type PackFacts = {
  /** All that lie in the vault. */
  readonly generations: readonly Generation[];
  readonly state: JobState;
  readonly bits: Head["bits"];
  /** The point that the newest run was restored from. */
  readonly restoredFrom: number | null;
  /** Age from which on a generation is cold, milliseconds. */
  readonly after: number;
  /** One that a person asked for, whatever its age; `null`: those that are cold. */
  readonly wanted: number | null;
};

export type PackPlan = {
  /** Oldest first. */
  readonly pack: readonly PackChoice[];
  /** What stays as it is. */
  readonly left: readonly PackChoice[];
};

export type PackChoice = { readonly number: number; readonly why: string; readonly isHot?: true };

/**
 * Which generations are to be packed now, and why. Never one that CRIU may read at any moment: for a job that runs, or that is to be brought
 * back, those are the chain of its newest point, of the one that its next generation stands on, and of the one it was restored from. Never
 * one that is damaged (what is left of it must not get a new digest), consumed, or on its way out.
 */
export function planPack(facts: PackFacts, now: number): PackPlan {
  const { generations, wanted } = facts;
  const hot = hotNumbers(facts);
  const [pack, left]: [PackChoice[], PackChoice[]] = [[], []];
  for (const one of generations.toSorted((a, b) => a.number - b.number)) {
    if (wanted !== null && one.number !== wanted) continue;
    const why = hindrance(one, hot, facts, now);
    if (why === null)
      pack.push({ number: one.number, why: wanted === null ? `older than ${formatDuration(facts.after)}` : "asked for" });
    else left.push(why);
  }
  return { pack, left };
}

function hindrance(one: Generation, hot: ReadonlySet<number>, facts: PackFacts, now: number): PackChoice | null {
  const { number, state } = one;
  if (one.unpackedBytes !== undefined) return { number, why: "packed already" };
  if (state === "damaged" || state === "consumed" || state === "expired") return { number, why: `it is ${state}` };
  if (hot.has(number)) return { number, why: "in the newest chain, and the job runs or is to come back", isHot: true };
  if (facts.wanted === null && now - one.takenAt < facts.after)
    return { number, why: `younger than ${formatDuration(facts.after)}` };
  return null;
}

function hotNumbers({ generations, state, bits, restoredFrom }: PackFacts): ReadonlySet<number> {
  if (state !== "running" && state !== "crashed") return new Set();
  const newest = restorePoints(generations).at(-1)?.number ?? null;
  const parent = bits.type === "known" ? bits.generation : null;
  const heads = [newest, parent, restoredFrom].filter((number) => number !== null);
  return new Set(heads.flatMap((number) => chainBelow(number, generations)));
}
