import { existsSync, lstatSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { CapturedFile } from "../../domain/captured.ts";
import { Fault } from "../../faults/fault.ts";
import { sameContent } from "./digest.ts";
import { storedPath } from "./put-back-plan.ts";

/** Filesystems whose copies within themselves take no room: btrfs, XFS, bcachefs. (linux/magic.h) */
const reflinking: ReadonlySet<number> = new Set([0x9123683e, 0x58465342, 0xca451a4e]);

/**
 * Is there room for the copies, one after the other, each beside the file it takes the place of? Files that hold the right
 * content already are looked for only if there is not. Throws `space-short`.
 */
export async function checkSpace(copies: readonly CapturedFile[], generationFolder: string): Promise<void> {
  const filesystems = Map.groupBy(copies, ({ path }) => statSync(standingAncestor(path)).dev);
  for (const [device, files] of filesystems) {
    const place = standingAncestor(files[0]?.path ?? "/");
    const { type, bavail, bsize } = statfsSync(place);
    const free = bavail * bsize;
    if (device === statSync(generationFolder).dev && reflinking.has(type)) continue;
    if (peakBytes(files) <= free) continue;
    const changed: CapturedFile[] = [];
    for (const file of files) if (!(await isInPlace(file, generationFolder))) changed.push(file);
    const needed = peakBytes(changed);
    if (needed > free) throw Fault.of("space-short", { place, free: `${free} bytes`, needed: `${needed} bytes` });
  }
}

function peakBytes(files: readonly CapturedFile[]): number {
  let taken = 0;
  let peak = 0;
  for (const { path, size } of files) {
    peak = Math.max(peak, taken + size);
    taken += size - (sizeNow(path) ?? 0);
  }
  return Math.max(peak, taken);
}

async function isInPlace(file: CapturedFile, generationFolder: string): Promise<boolean> {
  return sizeNow(file.path) === file.size && sameContent(file.path, storedPath(file, generationFolder));
}

function sizeNow(path: string): number | null {
  const stats = existsSync(dirname(path)) ? lstatSync(path, { throwIfNoEntry: false }) : undefined;
  return stats?.isFile() === true ? stats.size : null;
}

function standingAncestor(path: string): string {
  let folder = dirname(path);
  while (!existsSync(folder)) folder = dirname(folder);
  return folder;
}
