import path from "node:path";
import { mmNameOf } from "../images/image-names.ts";
import { malformed } from "../images/malformed.ts";
import { inOrder, isPrivate, neverInParent, type PageRange, readVmas } from "../images/mm.ts";
import { address, type Pagemap } from "../images/pagemap.ts";
import { strayPage } from "../images/stray-pages.ts";
import { readImage } from "./pages-folder.ts";

/**
 * Checks that every page of a process lies in one of its private memory areas (a restore refuses it otherwise), and gives the ranges
 * that must not be left to a parent. For a shared object there is nothing to check and nothing to keep.
 * Faults: `image-malformed`.
 */
export async function checkAreas(folder: string, name: string, pagemap: Pagemap): Promise<readonly PageRange[]> {
  const mm = mmNameOf(name);
  if (mm === null) return [];
  const vmas = readVmas(await readImage(folder, mm), path.join(folder, mm));
  const stray = strayPage(pagemap, inOrder(vmas.filter(isPrivate)));
  if (stray !== null) throw malformed(path.join(folder, name), `the page at ${address(stray)} is in no private memory area`);
  return inOrder(vmas.filter(neverInParent));
}
