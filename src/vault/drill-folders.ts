import path from "node:path";
import type { JobName } from "../domain/job.ts";
import { ensureFolder } from "./atomic.ts";
import type { Room } from "./room.ts";
import { listIfThere, removeTree } from "./tree.ts";

/** Fresh and empty, in the job's folder, where nobody but root comes. Nothing in it need be durable. */
export async function makeDrillFolder(room: Room, name: JobName, number: number): Promise<string> {
  const folder = room.paths.drill(name, number);
  await removeTree(room.disk, folder);
  await ensureFolder(room.disk, room.paths.root, folder);
  return folder;
}

export async function drillFolders(room: Room, name: JobName): Promise<readonly string[]> {
  const entries = await listIfThere(room.disk, room.paths.job(name));
  return entries.flatMap((entry) => (/^\.drill-\d+$/.test(entry.name) ? [path.join(room.paths.job(name), entry.name)] : []));
}

/** Harmless if it is gone. A crash in the middle leaves a part of it, for the next sweep. */
export async function removeDrill(room: Room, name: JobName, folder: string): Promise<void> {
  if (path.dirname(folder) !== room.paths.job(name)) throw new Error(`no drill of ${name}: ${folder}`);
  await removeTree(room.disk, folder);
}
