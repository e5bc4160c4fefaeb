import path from "node:path";
import type { JobName } from "../domain/job.ts";
import { ensureFolder, unless } from "./atomic.ts";
import type { Room } from "./room.ts";

/** Logs kept in a job's folder, the one that is about to be written included. */
const LOGS_KEPT = 50;

/** The path for a log named `file` in the job's folder of logs, after the oldest ones there have made room for it. */
export async function logFile(room: Room, name: JobName, file: string): Promise<string> {
  if (path.basename(file) !== file || file.startsWith(".")) throw new Error(`not a log's name: ${file}`);
  const folder = room.paths.logs(name);
  await ensureFolder(room.disk, room.paths.root, folder);
  const others: { readonly at: string; readonly changedAt: number }[] = [];
  for (const entry of await room.disk.list(folder)) {
    const at = path.join(folder, entry.name);
    const found = entry.name === file || entry.type !== "file" ? null : await room.disk.status(at);
    if (found !== null) others.push({ at, changedAt: found.changedAt });
  }
  const oldest = others.toSorted((a, b) => b.changedAt - a.changedAt).slice(LOGS_KEPT - 1);
  for (const log of oldest) await room.disk.removeFile(log.at).catch(unless("ENOENT"));
  return path.join(folder, file);
}
