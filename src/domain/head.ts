import type { Tracking } from "./job.ts";
import type { ProcessIdentity } from "./run.ts";

/**
 * L3 made durable: what is known of the job's dirty bits. Written before each dump as `unknown`, cleared only by the dump's
 * verified success. `lastNumber` rises before a number is used, so that no number is used twice.
 */
export type Head = { readonly lastNumber: number; readonly bits: DirtyBits };

/** `known`: every page written since `generation` is marked dirty in the process `root`, and in no other sense than this one. */
export type DirtyBits =
  | { readonly type: "unknown"; readonly why: string }
  | {
      readonly type: "known";
      readonly generation: number;
      readonly id: string;
      readonly root: ProcessIdentity;
      readonly run: number;
      readonly criu: string;
      readonly tracking: Tracking;
    };
