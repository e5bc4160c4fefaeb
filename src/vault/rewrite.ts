import { constants, copyFile } from "node:fs/promises";
import path from "node:path";
import type { JobName } from "../domain/job.ts";
import type { FileDigests, Manifest } from "../domain/manifest.ts";
import type { Damage, Pace } from "../engine/ports.ts";
import { Fault } from "../faults/fault.ts";
import { isErrno } from "./disk-fault.ts";
import { sealedNumbers } from "./generation-files.ts";
import type { SealedFolder } from "./pages-check.ts";
import { copyAtPace } from "./pages-move.ts";
import type { Room } from "./room.ts";
import { replaceGeneration } from "./replace-generation.ts";
import { walk } from "./tree.ts";
import type { checkStructure } from "./verify.ts";

/** A sealed generation that is to be replaced by another with the same bytes on every page. */
export type Rewriting = {
  readonly job: JobName;
  readonly own: Manifest;
  /** Its folder, its parent's, and so on to the base. */
  readonly chain: readonly SealedFolder[];
  readonly pace?: Pace | undefined;
};

/** What was written into the new directory, and what the new generation then stands on. */
export type Rewritten = {
  readonly manifest: Manifest;
  /** Of the files that were written; all others stay the same. */
  readonly digests: FileDigests;
  readonly below: readonly SealedFolder[];
  /** In a file that had to be read; nothing was written then. */
  readonly damage: readonly Damage[];
};

/**
 * Replaces a sealed generation by one that `build` makes, crash-safe by {@link replaceGeneration}. Files that were not written anew are not
 * read again: both directories share them (hard links). `build` gives `null` where there is nothing to gain.
 */
export async function rewrite(
  room: Room,
  key: Buffer,
  { job, own, chain, pace }: Rewriting,
  check: typeof checkStructure,
  build: (aside: string) => Promise<Rewritten | null>,
): Promise<void> {
  const { number } = own;
  const refuse = async (damage: readonly Damage[]): Promise<void> => {
    if (damage[0] !== undefined) throw await damaged(room, job, damage[0].number, `${damage[0].file}: ${damage[0].why}`);
  };
  try {
    await refuse(await check(chain));
    await replaceGeneration(room, key, { job, number }, async (aside) => {
      const done = await build(aside);
      if (done === null) return null;
      await refuse(done.damage);
      await linkOthers(room, { from: room.paths.generation(job, number), into: aside, own, written: done.digests, pace });
      await refuse(await check([{ ...done.manifest, folder: aside }, ...done.below]));
      return done.manifest;
    });
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== "image-malformed") throw error;
    throw await damaged(room, job, number, error.message, error);
  }
}

type Linking = {
  readonly from: string;
  readonly into: string;
  readonly own: Manifest;
  readonly written: FileDigests;
  readonly pace: Pace | undefined;
};

/** Gives every file that was not written anew a second name in the new directory. The old directory's damage was looked for before. */
export async function linkOthers({ disk }: Room, { from, into, own, written, pace }: Linking): Promise<void> {
  const folders = (await walk(disk, from)).filter(({ type }) => type === "folder").map(({ name }) => name);
  for (const name of folders.toSorted()) await disk.makeFolder(path.join(into, name));
  for (const name of Object.keys(own.digests)) {
    if (written[name] !== undefined) continue;
    const [file, second] = [path.join(from, name), path.join(into, name)];
    await disk.link(file, second).catch((error: unknown) => {
      // No hard links here (some network and FUSE file systems), or too many of this one.
      if (!isErrno(error, "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK")) throw error;
      if (pace !== undefined) return copyAtPace(file, second, pace);
      return copyFile(file, second, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    });
  }
}

export async function damaged(room: Room, job: JobName, point: number, why: string, cause?: unknown): Promise<Fault> {
  const older = (await sealedNumbers(room, job)).filter((number) => number < point).at(-1);
  return Fault.of("point-damaged", { point, job, why, other: older ?? "N" }, { cause });
}
