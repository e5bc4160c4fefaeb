import { spawnSync } from "node:child_process";
import { closeSync, openSync, rmSync, statfsSync, statSync, truncateSync, writeSync } from "node:fs";
import path from "node:path";

/** Takes every free byte of the file system that `folder` is the root of, before it returns. */
export function fill(folder: string): void {
  const file = ballast(folder);
  const { bfree, bsize } = statfsSync(folder);
  // What is asked for in vain is taken all the same, up to the last block it could get.
  spawnSync("fallocate", ["--length", String(sizeOf(file) + (bfree + 64) * bsize), file]);
  const more = openSync(file, "a");
  try {
    for (const block of [Buffer.alloc(65_536), Buffer.alloc(bsize)]) while (isWritten(more, block));
  } finally {
    closeSync(more);
  }
  settle(folder);
}

/** Fills it, and then gives so many bytes back. */
export function leave(folder: string, bytes: number): void {
  fill(folder);
  truncateSync(ballast(folder), Math.max(0, sizeOf(ballast(folder)) - bytes));
  settle(folder);
}

/** Throws the ballast away. */
export function makeRoom(folder: string): void {
  rmSync(ballast(folder), { force: true });
  settle(folder);
}

/** What was freed is free only when the journal says so. */
function settle(folder: string): void {
  spawnSync("sync", ["--file-system", folder]);
}

function ballast(folder: string): string {
  return path.join(folder, "ballast");
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function isWritten(file: number, block: Buffer): boolean {
  try {
    return writeSync(file, block) === block.length;
  } catch {
    return false;
  }
}
