import { constants, cp } from "node:fs/promises";
import path from "node:path";
import { Fault } from "../faults/fault.ts";
import type { Disk } from "./disk.ts";
import { isErrno } from "./disk-fault.ts";
import { flatten } from "./flatten.ts";
import { MANIFEST } from "./paths.ts";
import { syncTree } from "./tree.ts";

/**
 * A point as a folder that stands alone and outlasts a power cut: its images without a `parent`, the captured files, and its manifest
 * as the vault has it, to be read: its digests of pages and pagemaps, and its mac, are those of the vault's files.
 * `chain`: the generation's folder, its parent's, and so on. Gives the bytes of the images. A failure in the middle leaves a part of it.
 * Faults: `directory-not-empty`, `image-malformed`, `vault-full` naming the folder, `io-failed`.
 */
export async function exportFolder(disk: Disk, chain: readonly string[], into: string): Promise<{ readonly bytes: number }> {
  const folder = chain[0] ?? "";
  try {
    const done = await flatten(chain, into);
    for (const name of [MANIFEST, FILES]) {
      const from = path.join(folder, name);
      if ((await disk.status(from)) === null) continue;
      await cp(from, path.join(into, name), {
        recursive: true,
        errorOnExist: true,
        force: false,
        mode: constants.COPYFILE_FICLONE,
      });
    }
    await syncTree(disk, into);
    await disk.sync(path.dirname(into));
    return done;
  } catch (error) {
    // The vault is only read here: what is full or closed is the other folder.
    if (isErrno(error, "ENOSPC", "EDQUOT")) throw Fault.of("vault-full", { place: into }, { cause: error });
    throw error;
  }
}

const FILES = "files";
