import { constants, copyFile, readdir } from "node:fs/promises";
import path from "node:path";
import { isPagemapName, pagesName } from "../images/image-names.ts";
import { foldMemory, surveyMemory } from "./pages-fold.ts";
import { readImage } from "./pages-folder.ts";
import { readPagemap } from "../images/pagemap.ts";
import { MANIFEST } from "./paths.ts";

/**
 * Copies a directory of images (the first of `chain`) into the empty folder `into`, as if CRIU had just dumped it there on the one at place
 * `parent` of the chain: pages that it reads from those in between become its own. Where the file system can, the copies share their
 * blocks. Only plain files are taken, and no manifest; nothing of the chain is written to. Syncs nothing. Faults: `image-malformed`.
 */
export async function bringIn(chain: readonly string[], parent: number, into: string): Promise<void> {
  const folder = chain[0] ?? "";
  const entries = await readdir(folder, { withFileTypes: true });
  const names = new Set(entries.flatMap((entry) => (entry.isFile() && entry.name !== MANIFEST ? [entry.name] : [])));
  const place = parent < chain.length ? parent : Infinity;
  for (const name of [...names].filter(isPagemapName)) {
    const memory = { folders: chain, name, parent: place };
    if ((await surveyMemory(memory)).pagesTaken === 0) continue;
    await foldMemory(memory, into, () => undefined);
    names.delete(name);
    names.delete(pagesName(readPagemap(await readImage(folder, name), name).pagesId));
  }
  for (const name of names) {
    await copyFile(path.join(folder, name), path.join(into, name), constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  }
}
