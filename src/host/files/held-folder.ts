import { constants } from "node:fs";
import { open, readlink } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { Fault } from "../../faults/fault.ts";
import { targetFault } from "./translate.ts";

/** A folder held open, by which the files in it are reached whatever becomes of the path meanwhile. */
export type Held = { readonly fd: number; readonly file: string; readonly sibling: (name: string) => string };

/**
 * Opens the folder of `path` and works through `/proc/self/fd`: Node has no openat(2), and root must not be led elsewhere by a
 * link that someone puts into the path between a check and a write. Faults: `file-unrestorable` if the path leads through a link.
 */
export async function inFolderOf<T>(path: string, work: (held: Held) => Promise<T>): Promise<T> {
  const folder = dirname(path);
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW).catch((error: unknown) => {
    throw targetFault(error, path, 0);
  });
  try {
    const real = await readlink(`/proc/self/fd/${handle.fd}`);
    if (real !== folder) {
      const advice = `make ${folder} a real folder again (a bind mount will do), then try again`;
      throw Fault.of("file-unrestorable", { file: path, why: `its folder leads to ${real} now`, advice });
    }
    const sibling = (name: string): string => `/proc/self/fd/${handle.fd}/${name}`;
    return await work({ fd: handle.fd, file: sibling(basename(path)), sibling });
  } finally {
    await handle.close();
  }
}
