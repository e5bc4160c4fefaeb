import { formatSize } from "./size.ts";

/** The staging folder of the settings; bytes. */
export type StagingPlace = {
  readonly folder: string;
  readonly freeBytes: number;
  /** A tmpfs: what is written there takes the machine's memory. */
  readonly inMemory: boolean;
};

export type DumpFacts = {
  /** CRIU leaves to the parent what was not written since. */
  readonly leavesPages: boolean;
  /** Of the whole tree, in bytes. */
  readonly residentBytes: number;
  /** By the newest generation of this run; `null`: there is none. */
  readonly pagesWritten: number | null;
};

/** `why`: what is to be said about it; `null`: nothing. */
export type StagingPlan = { readonly where: "staging" | "vault"; readonly why: string | null };

/** For all that is not memory: pipes, sockets, unlinked files. */
const REST = 64 * 1024 * 1024;

/** How much more than the last dump the next one may be. */
const GROWTH = 2;

/** Bytes a dump may take; no promise: a job may write more than it did. */
export function expectedBytes({ leavesPages, residentBytes, pagesWritten }: DumpFacts): number {
  if (!leavesPages || pagesWritten === null) return residentBytes + REST;
  return Math.min(residentBytes, GROWTH * pagesWritten * 4096) + REST;
}

/**
 * Where a dump lands first. A staging place that may be too small would cost the take, and one in memory might cost the job its life (the
 * kernel's out-of-memory killer), so half of what is there must do: the page compare and another job's take need some, too.
 */
export function planStaging(place: StagingPlace | null, availableMemory: number, dump: DumpFacts): StagingPlan {
  if (place === null) return { where: "vault", why: null };
  const expected = expectedBytes(dump);
  const need = `this dump may need ${formatSize(expected)}`;
  if (place.freeBytes < expected)
    return { where: "vault", why: `${place.folder} has ${formatSize(place.freeBytes)} free, and ${need}` };
  if (place.inMemory && availableMemory / 2 < expected)
    return { where: "vault", why: `${formatSize(availableMemory)} of memory are available, and ${need} in ${place.folder}` };
  return { where: "staging", why: null };
}
