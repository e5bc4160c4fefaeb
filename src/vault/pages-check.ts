import { type Dirent } from "node:fs";
import { readdir, readlink, stat } from "node:fs/promises";
import path from "node:path";
import type { Damage } from "../engine/ports.ts";
import { isPagemapName, mmNameOf, pagesName, PARENT_LINK } from "../images/image-names.ts";
import { malformed } from "../images/malformed.ts";
import { leansOnParent, PAGE, readPagemap, storedPages } from "../images/pagemap.ts";
import { damageOf } from "./pages-damage.ts";
import { readImage } from "./pages-folder.ts";
import { checkAreas } from "./pages-vmas.ts";
import { MANIFEST, PACK } from "./paths.ts";
import type { SealedFolder } from "./sealed-folder.ts";

export type { SealedFolder };

/**
 * Checks one generation's folder by itself, without reading pages: names, lengths, pagemaps, the link to its parent, and that each captured
 * file it says it stored is one of its own files (no generation leaves its copies to another).
 */
export async function checkFolder(member: SealedFolder): Promise<readonly Damage[]> {
  const { number, folder, digests } = member;
  const damage: Damage[] = [];
  const tell = (file: string, why: string): void => void damage.push({ number, file, why });
  const entries = await entriesIn(folder);
  if (entries === null) return [{ number, file: ".", why: "the folder is missing" }];

  const lengths = new Map<string, number>();
  const isPacked = member.packed !== undefined;
  for (const [file, { bytes }] of Object.entries(isPacked ? { [PACK]: member.packed } : digests)) {
    const entry = entries.get(file);
    entries.delete(file);
    if (entry === undefined) tell(file, "it is missing");
    else if (!entry.isFile()) tell(file, "it is no plain file any more");
    else {
      const { size } = await stat(path.join(folder, file));
      lengths.set(file, size);
      if (size !== bytes) tell(file, `it has ${size} bytes, ${bytes} were sealed`);
    }
  }
  // What lies in a pack is held against these when it is read.
  if (lengths.delete(PACK)) for (const [file, { bytes }] of Object.entries(digests)) lengths.set(file, bytes);
  for (const { path: original, how, stored } of member.capture?.files ?? []) {
    if (how === "copy" && (stored === null || digests[stored] === undefined))
      tell(stored ?? MANIFEST, `the copy of ${original} is not among its files`);
  }
  let needsLink = false;
  for (const file of [...lengths.keys()].filter(isPagemapName)) {
    try {
      needsLink = (await checkPagemap(member, file, lengths)) || needsLink;
    } catch (error) {
      const why = damageOf(error);
      if (why === null) throw error;
      tell(file, why);
    }
  }
  const link = entries.get(PARENT_LINK);
  entries.delete(PARENT_LINK);
  const wrong = isPacked && link === undefined ? null : await linkDamage(member, link, needsLink);
  if (wrong !== null) tell(PARENT_LINK, wrong);
  for (const [file, entry] of entries) {
    if (!entry.isDirectory() && file !== MANIFEST) tell(file, "it is not in the manifest");
  }
  return damage;
}

/** True if it leaves pages to a parent. Faults: `image-malformed`. */
async function checkPagemap(
  { folder, digests }: SealedFolder,
  file: string,
  lengths: ReadonlyMap<string, number>,
): Promise<boolean> {
  const pagemap = readPagemap(await readImage(folder, file), file);
  const pages = pagesName(pagemap.pagesId);
  const expected = storedPages(pagemap) * PAGE;
  const found = lengths.get(pages);
  if (found !== expected) throw malformed(file, `it tells of ${expected} bytes of pages, ${pages} has ${found ?? "none"}`);
  const mm = mmNameOf(file);
  // A generation that is only a store of pages for others may have lost its other images.
  if (mm !== null && digests[mm] !== undefined) await checkAreas(folder, file, pagemap);
  return leansOnParent(pagemap);
}

async function linkDamage({ folder, parent }: SealedFolder, link: Dirent | undefined, needed: boolean): Promise<string | null> {
  if (link === undefined) return needed ? "it is missing, and pages are left to the parent" : null;
  if (!link.isSymbolicLink()) return "it is no link any more";
  if (parent === null) return "it is there, and the generation is a base";
  const [found, expected] = [await readlink(path.join(folder, PARENT_LINK)), `../${parent.number}`];
  return found === expected ? null : `it points to ${found}, not to ${expected}`;
}

/** Everything below a folder by its path from there; links are not followed. `null`: no such folder. */
async function entriesIn(folder: string): Promise<Map<string, Dirent> | null> {
  try {
    const entries = await readdir(folder, { withFileTypes: true, recursive: true });
    return new Map(entries.map((entry) => [path.relative(folder, path.join(entry.parentPath, entry.name)), entry]));
  } catch (error) {
    if (damageOf(error) === null) throw error;
    return null;
  }
}
