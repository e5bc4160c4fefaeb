import type { Capture } from "./captured.ts";
import type { PageCounts } from "./generation.ts";
import type { JobName, Tracking } from "./job.ts";
import type { PreDumpRound } from "./pre-dump.ts";

/** Every file of a sealed generation directory but the manifest itself, by its name inside the directory. */
export type FileDigests = Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;

/**
 * What a sealed generation says of itself, in `holdfast.json`; its presence in a generation directory is the seal.
 * The catalogue can be rebuilt from these alone. Authenticated with the host's key (`mac` in the file).
 */
export type Manifest = {
  readonly format: 1;
  readonly job: JobName;
  readonly number: number;
  readonly id: string;
  readonly timeline: number;
  readonly run: number;
  readonly kind: "base" | "increment";
  /** The generation whose pages the in-parent extents stand on; the `parent` link points at it. */
  readonly parent: { readonly number: number; readonly id: string } | null;
  readonly takenAt: number;
  readonly sealedAt: number;
  readonly reason: string;
  readonly tracking: Tracking;
  readonly freezeMicros: number;
  /** Time the job lost to the take outside the freeze, see `slowdownOf`; not there where it was not measured. */
  readonly slowdownMicros?: number;
  /** The pre-dumps that are folded into it, oldest first; not there if none was made. */
  readonly preDumps?: readonly PreDumpRound[];
  readonly pages: PageCounts;
  readonly host: { readonly bootId: string; readonly kernel: string; readonly hostname: string; readonly criu: string };
  readonly tree: {
    /** The root's pid inside the images. */
    readonly rootVpid: number;
    /** The highest pid, thread, group or session id in the images: CRIU's own pids at restore must keep clear of these. */
    readonly highestPid: number;
    readonly processes: number;
    /** Sum of resident bytes at the freeze: what a restore needs in memory. */
    readonly residentBytes: number;
  };
  /** CRIU's options that must be given again at restore. */
  readonly restoreOptions: readonly string[];
  /** Findings that were handled, in words, so that a reader knows what this point relies on. */
  readonly findings: readonly string[];
  readonly capture: Capture;
  readonly digests: FileDigests;
  /**
   * `--auto-dedup` took pages out of its files for generation `by`, `holeBytes` of them: the digests are those of what is left, and it
   * alone can be read through whoever stands on it.
   */
  readonly consumed?: { readonly by: number; readonly holeBytes: number };
  /** All its files lie in one, `pack.tar.zst`, of these bytes; the digests are those of the files in it. Missing: they lie there as they are. */
  readonly packed?: { readonly bytes: number; readonly sha256: string };
};
