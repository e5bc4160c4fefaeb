import { constants, copyFile, mkdtemp, open, readFile, realpath, rm, stat, statfs } from "node:fs/promises";
import path from "node:path";
import { execa } from "execa";
import { mountType } from "./machine.ts";

/** What the filesystem under a folder can do, found out by doing it. */
export type FolderFacts = {
  /** The folder that was looked at: the one asked for, or the nearest above it that is there. */
  readonly folder: string;
  /** `ext4`, `xfs`, `tmpfs`, `nfs4`; `null` if the kernel does not tell. */
  readonly filesystem: string | null;
  /** Bytes that a program run by root may still write, and the size of the whole. */
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly writable: boolean;
  /** The next three are false where the folder cannot be written. */
  readonly punchesHoles: boolean;
  readonly reflinks: boolean;
  readonly syncs: boolean;
};

/** Tries the filesystem under `folder` with a megabyte in a temporary folder there, which is removed again. */
export async function inspectFolder(folder: string): Promise<FolderFacts> {
  const there = await nearest(path.resolve(folder));
  const space = await statfs(there);
  const mounts = await readFile("/proc/self/mountinfo", "utf8").catch(() => "");
  const known = {
    folder: there,
    filesystem: mountType(mounts, there),
    freeBytes: space.bavail * space.bsize,
    totalBytes: space.blocks * space.bsize,
  };
  const trial = await mkdtemp(path.join(there, ".holdfast-trial-")).catch(() => null);
  if (trial === null) return { ...known, writable: false, punchesHoles: false, reflinks: false, syncs: false };
  try {
    const file = path.join(trial, "a");
    const syncs = await writesAndSyncs(file, trial);
    return { ...known, writable: true, syncs, reflinks: await reflinks(file), punchesHoles: await punchesHoles(file) };
  } finally {
    await rm(trial, { recursive: true, force: true });
  }
}

const size = 1 << 20;

async function writesAndSyncs(file: string, folder: string): Promise<boolean> {
  try {
    const handle = await open(file, "wx");
    try {
      // No zeros: some filesystems do not store those.
      await handle.write(Buffer.alloc(size, 0x5a));
      await handle.sync();
    } finally {
      await handle.close();
    }
    const directory = await open(folder, "r");
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
    return true;
  } catch {
    return false;
  }
}

async function reflinks(file: string): Promise<boolean> {
  return copyFile(file, `${file}.link`, constants.COPYFILE_FICLONE_FORCE).then(
    () => true,
    () => false,
  );
}

/** util-linux's `fallocate`, and the blocks counted before and after: an exit status alone is not believed. */
async function punchesHoles(file: string): Promise<boolean> {
  const before = await blocks(file);
  const words = ["--punch-hole", "--offset", "0", "--length", String(size), file];
  const done = await execa("fallocate", words, { stdin: "ignore", reject: false, timeout: 10_000 });
  return done.exitCode === 0 && (await blocks(file)) < before;
}

async function blocks(file: string): Promise<number> {
  return (await stat(file).catch(() => null))?.blocks ?? 0;
}

async function nearest(folder: string): Promise<string> {
  const found = await realpath(folder).catch(() => null);
  if (found !== null && (await stat(found)).isDirectory()) return found;
  return folder === "/" ? folder : nearest(path.dirname(folder));
}
