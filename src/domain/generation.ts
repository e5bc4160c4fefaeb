import type { JobName, Tracking } from "./job.ts";

/**
 * `sealed`: offered if its chain is; `damaged`: verify or a restore found it broken; `failed`: CRIU could not bring it
 * back; `expired`: withdrawn by the policy; `consumed`: CRIU's `--auto-dedup` took pages of it for the one standing on it, which alone
 * still reads it.
 */
export type GenerationState = "sealed" | "damaged" | "failed" | "expired" | "consumed";

/** One finished dump of a job, as the catalogue lists it. */
export type Generation = {
  readonly job: JobName;
  /** Upward for ever within the job. */
  readonly number: number;
  /** Random; unlike the number it cannot be met again in another vault. */
  readonly id: string;
  readonly timeline: number;
  readonly run: number;
  readonly kind: "base" | "increment";
  readonly parent: number | null;
  /** The moment of the freeze, milliseconds since the epoch. */
  readonly takenAt: number;
  readonly state: GenerationState;
  /** Why it is a base or an increment, and for other states than `sealed` what happened. */
  readonly reason: string;
  readonly tracking: Tracking;
  /** Bytes of all its files in the vault, captured files included. */
  readonly bytes: number;
  /** How long the job stood still, from CRIU's stats-dump, microseconds. */
  readonly freezeMicros: number;
  readonly pages: PageCounts;
  /** When a restore or a drill last brought it back; `null`: never. */
  readonly provenAt: number | null;
  /** How long that took, milliseconds; `null`: never, or not known. */
  readonly provenMilliseconds: number | null;
  readonly held: boolean;
  /** It is packed, and `bytes` is what the pack takes: the bytes of its files as they were. Missing: it is not packed. */
  readonly unpackedBytes?: number;
};

/** Pages of 4 KiB, private and shared together: CRIU looked at `scanned`, wrote `written`, left `skipped` to the parent; `kept` are in the vault after thin. */
export type PageCounts = { readonly scanned: number; readonly written: number; readonly skipped: number; readonly kept: number };
