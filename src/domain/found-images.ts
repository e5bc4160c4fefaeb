/**
 * A directory of CRIU images that was not made by Holdfast. `flawed`: it cannot be brought back, and why; other directories may still
 * stand on the pages it holds. `pre-dump`: pages alone, never a point by itself.
 */
export type FoundImages = {
  /** Its real path. */
  readonly folder: string;
  /** How the user would name it: its path from the folder that was looked at, `.` for that folder itself. */
  readonly name: string;
  /** False for one elsewhere that a listed one stands on. */
  readonly isListed: boolean;
  /** The `folder` it stands on; `null` for a base, and where the link leads nowhere. */
  readonly parent: string | null;
  /** What makes it less certain, in sentences. */
  readonly cautions: readonly string[];
} & (
  | { readonly what: "dump"; readonly facts: DumpFacts }
  | { readonly what: "pre-dump" }
  | { readonly what: "flawed"; readonly why: string }
);

/** What the images say of the dump. Of the machine and the CRIU that made it they say nothing. */
export type DumpFacts = {
  /** When the inventory, the last image, was written: milliseconds since the epoch. */
  readonly takenAt: number;
  /** The root's pid inside the images. */
  readonly rootVpid: number;
  readonly tracked: boolean;
  /** 0 where there is no `stats-dump`. */
  readonly freezeMicros: number;
  readonly pagesScanned: number;
  /** Pages in its own files, and pages left to a parent. */
  readonly pagesStored: number;
  readonly pagesInParent: number;
};
