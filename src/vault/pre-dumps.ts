import { constants, copyFile, readdir, rename, unlink } from "node:fs/promises";
import path from "node:path";
import type { Making } from "../engine/ports.ts";
import { isPagemapName, pagesName, PARENT_LINK } from "../images/image-names.ts";
import { malformed } from "../images/malformed.ts";
import { readPagemap } from "../images/pagemap.ts";
import { isErrno } from "./disk-fault.ts";
import { foldMemory, surveyMemory } from "./pages-fold.ts";
import { readImage } from "./pages-folder.ts";
import type { Room } from "./room.ts";
import { listIfThere, removeTree } from "./tree.ts";

/** Names of the folders of pre-dumps, of any generation in the making. */
export const isPreDumpName = (name: string): boolean => /^\.pre-\d+-\d+$/.test(name);

/** A fresh empty folder for round `round` (from 1), on the vault's disk: what is copied after the thaw need not lie in memory. */
export async function makePreDumpFolder({ disk, paths }: Room, making: Making, round: number): Promise<string> {
  const folder = paths.preDump(making.job, making.number, round);
  await removeTree(disk, folder);
  await disk.makeFolder(folder);
  return folder;
}

/**
 * Takes the pages that a dump left to its pre-dumps into the dump itself, page by page, so that it stands on `chain` (folders of its parent, that
 * one's, and so on; empty for a base) alone. Pages that the pre-dumps left to the chain stay there; nothing of the chain is written to. The
 * dump then lies in a folder beside the pre-dumps, which the making that is given back names as its staging; what was in staging is moved.
 * Syncs nothing; a crash leaves folders that are swept. Faults: `image-malformed`.
 */
export async function foldPreDumps(room: Room, making: Making, rounds: number, chain: readonly string[]): Promise<Making> {
  const { staging } = making;
  const into = await makePreDumpFolder(room, making, 0);
  const below = Array.from({ length: rounds }, (_, at) => room.paths.preDump(making.job, making.number, rounds - at));
  const folders = [staging, ...below, ...chain];
  const names = new Set<string>();
  for (const entry of await readdir(staging, { withFileTypes: true })) {
    if (entry.isFile()) names.add(entry.name);
    else if (entry.name !== PARENT_LINK) throw malformed(path.join(staging, entry.name), "it is no plain file");
  }
  for (const name of [...names].filter(isPagemapName)) {
    const memory = { folders, name, parent: chain.length === 0 ? Infinity : 1 + rounds };
    if ((await surveyMemory(memory)).pagesTaken === 0) continue;
    await foldMemory(memory, into, () => undefined);
    names.delete(name);
    names.delete(pagesName(readPagemap(await readImage(staging, name), name).pagesId));
  }
  for (const name of names) await move(path.join(staging, name), path.join(into, name));
  return { ...making, staging: into };
}

/** Throws the pre-dumps of a generation away; harmless twice. */
export async function dropPreDumps({ disk, paths }: Room, making: Making): Promise<void> {
  const begin = `.pre-${making.number}-`;
  for (const { name } of await listIfThere(disk, paths.generations(making.job))) {
    if (isPreDumpName(name) && name.startsWith(begin)) await removeTree(disk, path.join(paths.generations(making.job), name));
  }
}

/** Staging may be another file system. */
async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!isErrno(error, "EXDEV")) throw error;
    await copyFile(from, to, constants.COPYFILE_EXCL);
    await unlink(from);
  }
}
