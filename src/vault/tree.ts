import path from "node:path";
import { unless } from "./atomic.ts";
import type { Disk, DiskEntry, EntryType } from "./disk.ts";
import { isErrno } from "./disk-fault.ts";

/** One name below a folder, by its path from there, `/` between. */
export type TreeEntry = { readonly name: string; readonly type: EntryType };

/** Everything below a folder, a folder's content before the folder itself. Links are not followed. */
export async function walk(disk: Disk, folder: string): Promise<readonly TreeEntry[]> {
  const found: TreeEntry[] = [];
  for (const entry of await disk.list(folder)) {
    if (entry.type === "folder") {
      for (const below of await walk(disk, path.join(folder, entry.name))) {
        found.push({ ...below, name: `${entry.name}/${below.name}` });
      }
    }
    found.push(entry);
  }
  return found;
}

/** Makes a tree durable, all but its own name: every file, then every folder from below, then `folder`. Links live in their folder. */
export async function syncTree(disk: Disk, folder: string): Promise<void> {
  const entries = await walk(disk, folder);
  const files = entries.filter((entry) => entry.type === "file");
  // Several at once share one commit of the journal.
  for (let at = 0; at < files.length; at += SYNCS_AT_ONCE) {
    await Promise.all(files.slice(at, at + SYNCS_AT_ONCE).map((file) => disk.sync(path.join(folder, file.name))));
  }
  for (const each of entries) if (each.type === "folder") await disk.sync(path.join(folder, each.name));
  await disk.sync(folder);
}

const SYNCS_AT_ONCE = 8;

/** Removes a file, a link or a whole tree. Harmless if it is gone, or if somebody else is removing it too. */
export async function removeTree(disk: Disk, target: string): Promise<void> {
  const found = await disk.status(target);
  if (found === null) return;
  if (found.type !== "folder") return disk.removeFile(target).catch(unless("ENOENT"));
  for (const entry of await listIfThere(disk, target)) {
    const below = path.join(target, entry.name);
    await (entry.type === "folder" ? removeTree(disk, below) : disk.removeFile(below).catch(unless("ENOENT")));
  }
  await disk.removeFolder(target).catch(unless("ENOENT"));
}

/** The names in a folder; none if there is no such folder. */
export async function listIfThere(disk: Disk, folder: string): Promise<readonly DiskEntry[]> {
  return disk.list(folder).catch((error: unknown) => {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  });
}

/**
 * Removes a folder that is part of the vault's truth: one rename takes it away whole (`.gone-…`), a sync makes that
 * durable, and only then are its files deleted. After a crash the rest of a `.gone-…` is nobody's, and anyone may remove it.
 */
export async function removeWhole(disk: Disk, folder: string, gone: string): Promise<void> {
  await removeTree(disk, gone);
  await disk.rename(folder, gone).catch(unless("ENOENT"));
  await disk.sync(path.dirname(folder)).catch(unless("ENOENT"));
  await removeTree(disk, gone);
}
