import type { Generation } from "./generation.ts";
import type { DirtyBits } from "./head.ts";
import type { Job, Tracking } from "./job.ts";
import { soundNumbers } from "./restorable.ts";
import type { ProcessIdentity } from "./run.ts";

/** Everything the choice between base and increment rests on. */
export type TakeFacts = {
  readonly bits: DirtyBits;
  /** The root of the tree as it is now. */
  readonly root: ProcessIdentity;
  /** Number of the run it belongs to. */
  readonly run: number;
  /** Version of the CRIU that would dump now. */
  readonly criu: string;
  readonly tracking: Tracking;
  /** Most generations in one chain, base included. */
  readonly maxChain: number;
  readonly dedup: Job["dedup"];
  /** Points that runs were restored from: they stay, so no dump may take their pages. */
  readonly restoredFrom: ReadonlySet<number>;
  /** All generations of the job whose directories are there, in any order and state. */
  readonly generations: readonly Generation[];
  /** What runs now is another program than at the head (`exec` keeps the pid and throws the memory away). */
  readonly executed?: { readonly before: string; readonly now: string } | undefined;
};

export type TakePlan =
  | { readonly kind: "base"; readonly reason: string }
  /** `dedup`: whether the parent stays whole, or CRIU takes pages out of it in mid-dump. */
  | { readonly kind: "increment"; readonly parent: number; readonly dedup: Job["dedup"]; readonly reason: string };

/**
 * L3: an increment only where it is certain that every page changed since the head generation is known; else a base, and the sentence
 * that says why. The first reason that holds is given, the most telling first.
 */
export function planTake(facts: TakeFacts): TakePlan {
  const { bits, run, generations } = facts;
  if (bits.type === "unknown") {
    const isFirst = !generations.some((one) => one.run === run);
    const reason = isFirst ? `the first generation of this run (${bits.why})` : `${bits.why}, so the dirty bits are unknown`;
    return { kind: "base", reason };
  }
  const reason = whyBitsDoNotHold(facts, bits) ?? whyNotOn(generations, bits, facts.maxChain) ?? whyNotTaking(facts, bits);
  if (reason !== null) return { kind: "base", reason };
  return {
    kind: "increment",
    parent: bits.generation,
    dedup: facts.dedup,
    reason: `the pages changed since generation ${bits.generation}`,
  };
}

type KnownBits = Extract<DirtyBits, { type: "known" }>;

function whyBitsDoNotHold({ root, run, criu, tracking, executed }: TakeFacts, bits: KnownBits): string | null {
  if (bits.run !== run) return "the first generation of this run";
  if (bits.root.bootId !== root.bootId) return "the machine was started anew since the last generation";
  if (bits.root.pid !== root.pid || bits.root.startTicks !== root.startTicks) {
    return "the process is another than at the last generation";
  }
  if (executed) return `the job runs ${executed.now} in place of ${executed.before}`;
  if (bits.criu !== criu) return `CRIU was ${bits.criu} at the last generation and is ${criu} now`;
  if (bits.tracking !== tracking) {
    return `changed pages were found by ${manner[bits.tracking]} at the last generation and are found by ${manner[tracking]} now`;
  }
  return null;
}

/** Why nothing can stand on the head generation; `null`: it can carry one more. */
function whyNotOn(generations: readonly Generation[], bits: KnownBits, maxChain: number): string | null {
  const head = generations.find((one) => one.number === bits.generation);
  if (!head || head.id !== bits.id) return `generation ${bits.generation}, the last one, is not in the vault`;
  if (head.state !== "sealed") return `generation ${head.number}, the last one, ${fate[head.state]}`;
  if (!soundNumbers(generations).has(head.number))
    return `generation ${head.number}, the last one, stands on a damaged or missing one`;
  if (chainLength(generations, head) >= maxChain) return `the chain has reached max-chain ${maxChain}`;
  return null;
}

/** L2: `--auto-dedup` reaches down the whole chain, so nothing in it may be offered, or be needed by anything but the head. */
function whyNotTaking({ dedup, tracking, generations, restoredFrom }: TakeFacts, bits: KnownBits): string | null {
  if (dedup === "exact") return null;
  if (tracking !== "soft-dirty") return "without soft-dirty `in-dump` has nothing to leave to a parent";
  const line = chainNumbers(generations, bits.generation);
  const needed = generations.find(
    (one) =>
      (line.has(one.number) && one.state === "sealed" && (one.held || one.provenAt !== null || restoredFrom.has(one.number))) ||
      (one.number !== bits.generation && one.state !== "consumed" && line.has(one.number)) ||
      (!line.has(one.number) && one.parent !== null && line.has(one.parent)),
  );
  return needed ? `generation ${needed.number} needs the chain as it is, and \`in-dump\` would take its pages` : null;
}

function chainNumbers(generations: readonly Generation[], head: number): ReadonlySet<number> {
  const parents = new Map(generations.map((one) => [one.number, one.parent]));
  const numbers = new Set<number>();
  for (let at: number | null = head; at !== null && !numbers.has(at); at = parents.get(at) ?? null) numbers.add(at);
  return numbers;
}

const fate = {
  damaged: "is damaged",
  failed: "could not be brought back",
  expired: "was withdrawn",
  consumed: "lost pages to a dump that failed",
} as const;

const manner = { "soft-dirty": "the kernel's soft-dirty bits", compare: "a page compare" } as const satisfies Record<
  Tracking,
  string
>;

/** Generations from the base up to this one, both counted. The chain is sound: it ends. */
function chainLength(generations: readonly Generation[], head: Generation): number {
  const byNumber = new Map(generations.map((one) => [one.number, one]));
  let length = 0;
  for (let at: Generation | undefined = head; at; at = at.parent === null ? undefined : byNumber.get(at.parent)) length += 1;
  return length;
}
