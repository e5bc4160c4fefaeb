import { open, rename, rm } from "node:fs/promises";
import path from "node:path";
import Database from "better-sqlite3";

/**
 * Writes the committed content of `file` to `copy`, synced, over an older copy of that name. The caller holds the write lock
 * of `file`, so one process at a time is here. A crash leaves the old copy or the new, and perhaps a `.part`, which the next one sweeps.
 */
export async function keepCopy(file: string, copy: string): Promise<void> {
  const part = `${copy}.part`;
  await rm(part, { force: true });
  // SQLite fills an empty file that is there; made here, nobody but the owner can read it at any moment.
  await (await open(part, "wx", 0o600)).close();
  const database = new Database(file, { readonly: true, fileMustExist: true });
  try {
    database.prepare("vacuum into ?").run(part);
  } finally {
    database.close();
  }
  await sync(part);
  await rename(part, copy);
  await sync(path.dirname(copy));
}

async function sync(target: string): Promise<void> {
  const handle = await open(target, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
