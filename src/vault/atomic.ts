import path from "node:path";
import type { Disk } from "./disk.ts";
import { isErrno } from "./disk-fault.ts";

/** 128 random bits, hex. */
export type Random = () => string;

/**
 * Writes a small file whole or not at all: new name, sync, rename, sync of the folder. A crash in the middle leaves the
 * old content, and perhaps a `.NAME.XXXXXXXX.tmp` that `sweepLeftovers` removes. When it resolves, the new content is durable.
 */
export async function writeAtomically(disk: Disk, file: string, bytes: Buffer, random: Random): Promise<void> {
  await viaTemporary(disk, file, bytes, random, (temporary) => disk.rename(temporary, file));
}

/** As {@link writeAtomically}, but a file that is there already is left as it is: of two writers at once the first one wins. */
export async function writeOnce(disk: Disk, file: string, bytes: Buffer, random: Random): Promise<void> {
  await viaTemporary(disk, file, bytes, random, async (temporary) => {
    await disk.link(temporary, file).catch(unless("EEXIST"));
    await disk.removeFile(temporary);
  });
}

/** Is this the name of a half-written small file? */
export function isTemporary(name: string): boolean {
  return /^\..+\.[0-9a-f]{8}\.tmp$/.test(name);
}

/**
 * Makes `folder` and what is missing above it. When it resolves, all of them are durable, also those that a process which
 * died before its sync had made: hence the syncs down from `from`, the lowest folder that is known to be durable.
 */
export async function ensureFolder(disk: Disk, from: string, folder: string): Promise<void> {
  const steps = path.relative(from, folder).split(path.sep);
  let at = from;
  for (const step of steps) {
    const next = path.join(at, step);
    await disk.makeFolder(next).catch(unless("EEXIST"));
    await disk.sync(at);
    at = next;
  }
}

/** For `catch`: lets these answers of the system pass as done. */
export function unless(...codes: readonly string[]): (error: unknown) => void {
  return (error) => {
    if (!isErrno(error, ...codes)) throw error;
  };
}

async function viaTemporary(
  disk: Disk,
  file: string,
  bytes: Buffer,
  random: Random,
  place: (temporary: string) => Promise<void>,
): Promise<void> {
  const folder = path.dirname(file);
  const temporary = path.join(folder, `.${path.basename(file)}.${random().slice(0, 8)}.tmp`);
  try {
    await disk.create(temporary, bytes);
    await disk.sync(temporary);
    await place(temporary);
  } catch (error) {
    await disk.removeFile(temporary).catch(() => undefined);
    throw error;
  }
  await disk.sync(folder);
}
