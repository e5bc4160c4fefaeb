import { mkdir, open, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { mmNameOf, pagesName } from "../../../src/images/image-names.ts";
import { entriesOf, PAGE, type PageEntry, PRESENT, readPagemap } from "../../../src/images/pagemap.ts";
import { inventoryImage, message } from "../../unit/images/encode.ts";
import { aPage, BASE } from "../../unit/images/specimens.ts";
import { type Memory, writeDump } from "./image-folders.ts";

/** Writes a dump as a person with `criu dump --prev-images-dir ../PARENT` gets it. */
export async function dumpByHand(folder: string, memories: readonly Memory[], parent: string | null): Promise<void> {
  await mkdir(path.dirname(folder), { recursive: true });
  await writeDump(folder, memories);
  for (const pid of [300, 301]) await writeFile(path.join(folder, `core-${pid}.img`), `core of ${pid} in ${folder}`);
  if (parent !== null) await symlink(`../${parent}`, path.join(folder, "parent"));
}

/** Makes a pre-dump of it: memory and nothing else. */
export async function toPreDump(folder: string, memories: readonly Memory[]): Promise<void> {
  await writeFile(path.join(folder, "inventory.img"), inventoryImage(message([1, 0])));
  const others = ["pstree.img", "core-300.img", "core-301.img", ...memories.flatMap(({ name }) => mmNameOf(name) ?? [])];
  for (const name of others) await rm(path.join(folder, name));
}

/** Punches pages out of a pages file, as `criu dedup` does: its length stays, and so does its pagemap. */
export async function punch(folder: string, name: string, isLost: (page: number) => boolean): Promise<void> {
  const pagemap = readPagemap(await readFile(path.join(folder, name)), name);
  const file = path.join(folder, pagesName(pagemap.pagesId));
  const bytes = await readFile(file);
  const { mtimeMs } = await stat(file);
  // A file written anew with gaps has holes there.
  await rm(file);
  const handle = await open(file, "wx");
  await handle.truncate(bytes.length);
  let at = 0;
  for (const { page, pages, flags } of entriesOf(pagemap)) {
    if ((flags & PRESENT) === 0) continue;
    for (let i = 0; i < pages; i++, at += PAGE) if (!isLost(page + i)) await handle.write(bytes, at, PAGE, at);
  }
  await handle.utimes(mtimeMs / 1000, mtimeMs / 1000);
  await handle.close();
}

/** A memory of one letter for each page; a blank is a page left to the parent. */
export function letters(text: string, name = "pagemap-300.img", pagesId = 1, inParent = 1): Memory {
  const entries: PageEntry[] = Array.from(text, (letter, at) => ({
    page: BASE + at,
    pages: 1,
    flags: letter === " " ? inParent : PRESENT,
  }));
  return { name, pagesId, entries, bytes: Buffer.concat(Array.from(text.replaceAll(" ", ""), (letter) => aPage(letter, letter))) };
}
