import type { StatsFs } from "node:fs";
import { statfs } from "node:fs/promises";
import path from "node:path";
import type { StagingPlace } from "../domain/plan-staging.ts";
import { isErrno } from "./disk-fault.ts";

/** Of a staging folder: its room, and whether it is the machine's memory (a tmpfs or a ramfs). */
export async function stagingPlace(folder: string): Promise<StagingPlace> {
  const { type } = await statfsAt(folder);
  return { folder, freeBytes: await freeSpace(folder), inMemory: type === TMPFS || type === RAMFS };
}

const [TMPFS, RAMFS] = [0x01021994, 0x858458f6];

/** Bytes an unprivileged writer could still write where `folder` is, or will be once it is made. */
export async function freeSpace(folder: string): Promise<number> {
  const found = await statfsAt(folder);
  return found.bavail * found.bsize;
}

/** Where the folder is, or will be once it is made. */
async function statfsAt(folder: string): Promise<StatsFs> {
  for (let at = folder; ; at = path.dirname(at)) {
    try {
      return await statfs(at);
    } catch (error) {
      if (at === path.dirname(at) || !isErrno(error, "ENOENT", "ENOTDIR")) throw error;
    }
  }
}
