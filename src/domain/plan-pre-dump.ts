import type { Job, Tracking } from "./job.ts";
import type { Manifest } from "./manifest.ts";
import type { PreDumpMode, PreDumpRound } from "./pre-dump.ts";

export type PreDumpFacts = {
  readonly setting: Job["preDump"];
  readonly tracking: Tracking;
  /** CRIU takes pages out of the parents in mid-dump (`dedup = "in-dump"`). */
  readonly takesPages: boolean;
  /** The newest generation of the job; `null`: it has none. */
  readonly last: Pick<Manifest, "freezeMicros" | "pages" | "preDumps"> | null;
};

export type PreDumpPlan = { readonly mode: PreDumpMode | null; readonly reason: string };

/** A freeze that is felt, microseconds. */
const LONG = 250_000;

/** Pages below which memory is not what makes a freeze long: 64 MiB, some 0.2 s of CRIU's page loop. */
const MANY = 16_384;

/** A round that wrote this few pages (4 MiB) leaves nothing worth another one. */
const FEW = 1024;

/** The dirty set still shrinks if a round writes at most this share of what the one before it wrote. */
const SHRINKS = 0.7;

/** Most rounds before the dump. */
const MOST = 3;

/** Is the dump to be prepared by pre-dumps? `auto` asks what the last generation's freeze was, or would have been without them. */
export function planPreDump({ setting, tracking, takesPages, last }: PreDumpFacts): PreDumpPlan {
  if (setting === "off") return none("the job's setting says so");
  if (tracking !== "soft-dirty") return none("the kernel does not track which pages are written");
  if (takesPages) return none("CRIU takes pages out of the parents while it dumps");
  if (setting !== "auto") return { mode: setting, reason: "the job's setting says so" };
  if (last === null) return none("there is no generation to go by");
  const pages = last.pages.written + (last.preDumps ?? []).reduce((sum, round) => sum + round.pages, 0);
  if (pages < MANY) return none(`the last generation wrote ${pages} pages`);
  if (last.preDumps === undefined && last.freezeMicros < LONG)
    return none(`the last freeze took ${Math.round(last.freezeMicros / 1000)} ms`);
  return { mode: "read", reason: `the last generation wrote ${pages} pages` };
}

/** After these rounds, is another one worth it? They end when few pages were left, when they no longer get fewer, or at the limit. */
export function isWorthAnother(rounds: readonly PreDumpRound[]): boolean {
  const [before, last] = [rounds.at(-2), rounds.at(-1)];
  if (last === undefined) return true;
  if (rounds.length >= MOST || last.pages <= FEW) return false;
  return before === undefined || last.pages <= before.pages * SHRINKS;
}

function none(reason: string): PreDumpPlan {
  return { mode: null, reason };
}
