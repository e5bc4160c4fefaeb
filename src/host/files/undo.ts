import { constants, existsSync, fsyncSync } from "node:fs";
import { lstat, open, rmdir, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { attributesOf, sameAttributes, setModified } from "./attributes.ts";
import { sameContent } from "./digest.ts";
import { standingFile } from "./examine.ts";
import { inFolderOf } from "./held-folder.ts";
import { errnoOf, targetFault } from "./translate.ts";
import { markUndone, readUndoList, type UndoFile } from "./undo-list.ts";
import { putTail, removeFile, renameOver, restoreAttributes, writeBeside, writeOver } from "./write.ts";

/**
 * Makes everything as it was before `putBack`, from the undo folder alone, wherever that one stopped. It goes on after a file it
 * cannot bring back, then throws for the first; until all are back it can be called again. After that it does nothing: what is
 * written later is safe. Faults: `file-unrestorable`, `space-short`, `io-failed`, `vault-file-damaged`.
 */
export async function undo(undoFolder: string): Promise<void> {
  const list = await readUndoList(undoFolder);
  if (list === null) return;
  const failures: unknown[] = [];
  const attempt = async (path: string, bytes: number, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      failures.push(targetFault(error, path, bytes));
    }
  };
  // Backwards, so that a file with two names among them ends as it was first met.
  for (const entry of list.files.toReversed()) {
    await attempt(entry.path, entry.before?.size ?? 0, async () => bringBack(entry, undoFolder));
  }
  for (const path of list.made.toReversed()) await attempt(path, 0, async () => removeIfEmpty(path));
  for (const { path, mtimeNs } of list.touched) await attempt(path, 0, async () => setFolderTime(path, mtimeNs));
  if (failures.length > 0) throw failures[0];
  await markUndone(undoFolder);
}

async function bringBack(entry: UndoFile, undoFolder: string): Promise<void> {
  const { path, before, change, temporary } = entry;
  // A folder that was to be made, and was not.
  if (before === null && !existsSync(dirname(path))) return;
  if (change !== "cut" && change !== "attributes") await removeFile(path, temporary);
  if (before === null) return removeFile(path);
  const saved = join(undoFolder, entry.saved ?? "");
  switch (change) {
    case "attributes":
      return restoreAttributes(path, before);
    case "cut":
      return (await isAsBefore(entry, null)) ? undefined : putTail(path, entry.savedFrom, saved, before);
    case "in-place":
    case "replace": {
      if (await isAsBefore(entry, saved)) return undefined;
      if (change === "in-place" && standingFile(path) !== null) return writeOver(path, saved, before);
      await writeBeside(path, temporary, saved, before);
      return renameOver(path, temporary);
    }
    case "create":
      return undefined;
  }
}

/** Size, mode, owner and time as before, and for a whole file the content too: then it is left as it stands. */
async function isAsBefore({ path, before }: UndoFile, saved: string | null): Promise<boolean> {
  const stats = standingFile(path);
  if (stats === null || before === null || Number(stats.size) !== before.size || !sameAttributes(attributesOf(stats), before))
    return false;
  return saved === null || sameContent(path, saved);
}

/** What somebody else has put there meanwhile (a socket of a half-restored job) keeps the folder. */
async function removeIfEmpty(path: string): Promise<void> {
  if (!existsSync(path)) return;
  await inFolderOf(path, async ({ file }) => {
    try {
      if ((await lstat(file)).isFIFO()) await unlink(file);
      else await rmdir(file);
    } catch (error) {
      if (!["ENOTEMPTY", "EEXIST", "ENOENT"].includes(errnoOf(error) ?? "")) throw error;
    }
  });
}

async function setFolderTime(path: string, mtimeNs: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    setModified(handle.fd, mtimeNs);
    fsyncSync(handle.fd);
  } finally {
    await handle.close();
  }
}
