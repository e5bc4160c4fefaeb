import { access, rename, rm } from "node:fs/promises";
import { translated } from "./translate.ts";

/**
 * Moves a damaged catalogue out of the way, with its write-ahead log, so that the next `openCatalogue` makes a new one.
 * Gives the new place, `FILE.damaged-STAMP`; `null` if there was none. No process may have it open: it would go on in the moved file.
 *
 * A crash after the first rename leaves a log without its file, which SQLite throws away. Faults: `vault-unwritable`, `io-failed`.
 */
export async function setCatalogueAside(file: string, stamp: string): Promise<string | null> {
  const aside = `${file}.damaged-${stamp}`;
  try {
    if (!(await isThere(file))) return null;
    await rename(file, aside);
    if (await isThere(`${file}-wal`)) await rename(`${file}-wal`, `${aside}-wal`);
    await rm(`${file}-shm`, { force: true });
    return aside;
  } catch (error) {
    throw translated(error, file);
  }
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
