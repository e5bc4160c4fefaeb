import type { Random } from "./atomic.ts";
import type { Disk } from "./disk.ts";
import type { VaultPaths } from "./paths.ts";

/** What every file of this room works with. */
export type Room = {
  readonly disk: Disk;
  readonly paths: VaultPaths;
  readonly random: Random;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
};
