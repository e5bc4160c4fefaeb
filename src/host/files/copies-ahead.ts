import { constants, fstatSync, mkdirSync, rmSync, statfsSync, type BigIntStats } from "node:fs";
import { copyFile, open, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { PlannedFile } from "../../domain/capture-plan.ts";
import type { TreeFacts } from "../../domain/tree.ts";
import type { CopiesAhead } from "../../engine/ports.ts";
import { findReached, type Seen } from "./reach.ts";
import { errnoOf, isFull, vaultFault } from "./translate.ts";
import { WriteWatch } from "./write-watch.ts";

/** Up to this size a copy inside the freeze costs less than anything done before it. */
export const smallBytes = 1024 * 1024;

/**
 * Filesystems of this machine that move a file's time of change at each write and at the first write to a clean page of a mapping, before
 * the bytes are there: ext2 to ext4, XFS, btrfs, f2fs. A tmpfs does not for mappings, and a server keeps its own clock.
 */
const faithful: ReadonlySet<number> = new Set([0xef53, 0x58465342, 0x9123683e, 0xf2f52010]);

/** Milliseconds by which a file's time of change may lag behind the clock (the kernel takes it from its tick), many times over. */
const lag = 1000;

/** An early copy: its file, and whether the file it was taken from is certainly unchanged, to the byte. */
export type EarlyCopy = { readonly file: string; readonly isUnchanged: boolean };

type Copied = {
  readonly file: string;
  readonly before: BigIntStats;
  readonly watch: number | null;
  /** It stands on a faithful filesystem, had not been changed lately, and no process of the tree mapped it shared. */
  readonly wasQuiet: boolean;
};

/**
 * The files a capture would have to copy whole, copied while the job runs on. Where the filesystem makes reflinks there is nothing to do ahead.
 *
 * That a file has not changed since is believed only if all of this holds: it was quiet for a second before the tree was looked at, so a
 * mapping made later shows in its time of change; no process maps it shared, then or in the freeze (a page that is dirty already is
 * written without any trace); size and times are the same; no write ended in between ({@link WriteWatch}; one under way has moved the times
 * before). Anything else is compared byte for byte in the freeze.
 */
export class AheadCopies implements CopiesAhead {
  readonly #copied = new Map<string, Copied>();
  readonly #watch = WriteWatch.open();
  readonly #folder: string;
  #isClosed = false;

  private constructor(folder: string) {
    this.#folder = join(folder, "files", "ahead");
  }

  /** `lookedAt`: milliseconds since the epoch, before `tree` was looked at. Faults: `vault-full`, `vault-unwritable`. */
  static async make(
    { tree, lookedAt, files }: { readonly tree: TreeFacts; readonly lookedAt: number; readonly files: readonly PlannedFile[] },
    folder: string,
    limitBytes: number,
  ): Promise<AheadCopies> {
    const ahead = new AheadCopies(folder);
    const mapped = mappedShared(tree);
    try {
      for (const planned of files) {
        const seen = planned.how === "copy" ? findReached(planned) : null;
        const size = Number(seen?.stats.size ?? 0);
        if (seen !== null && size > smallBytes && size <= limitBytes) await ahead.#copy(seen, lookedAt, mapped);
      }
      return ahead;
    } catch (error) {
      await ahead.close();
      throw vaultFault(error, folder);
    }
  }

  /** For the capture, inside the freeze; `tree` is the frozen one. Each copy is given away once. */
  take({ stats }: Seen, tree: TreeFacts): EarlyCopy | null {
    const key = keyOf(stats);
    const copied = this.#copied.get(key);
    if (copied === undefined) return null;
    this.#copied.delete(key);
    const { before, watch, wasQuiet, file } = copied;
    const isUnchanged =
      wasQuiet &&
      stats.size === before.size &&
      stats.mtimeNs === before.mtimeNs &&
      stats.ctimeNs === before.ctimeNs &&
      !mappedShared(tree).has(stats.ino) &&
      watch !== null &&
      this.#watch?.isSilent(watch) === true;
    return { file, isUnchanged };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#watch?.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #copy(seen: Seen, lookedAt: number, mapped: SharedFiles): Promise<void> {
    const key = keyOf(seen.stats);
    if (this.#copied.has(key)) return;
    const file = join(this.#folder, String(this.#copied.size));
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    try {
      await withSeen(seen, async (handle) => {
        const source = `/proc/self/fd/${handle.fd}`;
        if (await isCloned(source, file)) return;
        // The watch first: what is written from now on is either in the times below or told by it.
        const watch = this.#watch?.add(source) ?? null;
        const before = fstatSync(handle.fd, { bigint: true });
        const wasQuiet =
          faithful.has(statfsSync(source).type) && Number(before.ctimeNs / 1_000_000n) < lookedAt - lag && !mapped.has(before.ino);
        await copyFile(source, file);
        await flush(file);
        this.#copied.set(key, { file, before, watch, wasQuiet });
      });
    } catch (error) {
      rmSync(file, { force: true });
      // One that cannot be read is the capture's to tell of.
      if (isFull(errnoOf(error)) || errnoOf(error) === "EROFS" || errnoOf(error) === null) throw error;
    }
  }
}

/** Opens the very file that was looked at: its path may be given to another one at any moment, by a link too. */
export async function withSeen<T>({ through, stats }: Seen, work: (handle: FileHandle) => Promise<T>): Promise<T> {
  const follow = through.startsWith("/proc/") ? 0 : constants.O_NOFOLLOW;
  const handle = await open(through, constants.O_RDONLY | constants.O_NONBLOCK | follow);
  try {
    const { dev, ino } = fstatSync(handle.fd, { bigint: true });
    if (dev !== stats.dev || ino !== stats.ino) throw Object.assign(new Error(`${through} changed hands`), { code: "ESTALE" });
    return await work(handle);
  } finally {
    await handle.close();
  }
}

/** Can the file be taken by a reflink, which costs next to nothing in the freeze? Leaves nothing behind. */
async function isCloned(source: string, file: string): Promise<boolean> {
  try {
    await copyFile(source, file, constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch (error) {
    if (isFull(errnoOf(error))) throw error;
    return false;
  } finally {
    rmSync(file, { force: true });
  }
}

/** On the disk before the freeze, so that the disk is not busy with it during the freeze. */
async function flush(file: string): Promise<void> {
  const handle = await open(file, "r+");
  try {
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

type SharedFiles = { has(inode: bigint): boolean };

/** Inodes that some process has mapped shared, for writing or not (it may be made writable again); all, where the kernel writes files by itself. */
function mappedShared(tree: TreeFacts): SharedFiles {
  const mappings = tree.processes.flatMap((process) => process.mappings);
  if (mappings.some(({ path }) => path.startsWith("/[aio]"))) return { has: () => true };
  const inodes = new Set(mappings.filter(({ shared }) => shared).map(({ inode }) => inode.slice(inode.lastIndexOf(":") + 1)));
  return { has: (inode) => inodes.has(String(inode)) };
}

function keyOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}
