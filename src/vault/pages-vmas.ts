import path from "node:path";
import { mmNameOf } from "../images/image-names.ts";
import { malformed } from "../images/malformed.ts";
import { inOrder, isBlankWhenAbsent, isPrivate, neverInParent, readVmas } from "../images/mm.ts";
import type { Areas } from "../images/page-plan.ts";
import { address, type Pagemap } from "../images/pagemap.ts";
import { strayPage } from "../images/stray-pages.ts";
import { readImage } from "./pages-folder.ts";

/**
 * Checks that every page of a process lies in one of its private memory areas (a restore refuses it otherwise), and gives the ranges
 * that must not be left to a parent, and those where a page that is not listed is full of zeros after a restore.
 *
 * For a shared object there is nothing to check and nothing to keep: CRIU makes each one anew, empty (shmem.c:open_shmem,
 * memfd.c:memfd_open_inode_nocache, a new IPC namespace), and copies in what is listed; its own dumps do not list holes.
 * Faults: `image-malformed`.
 */
export async function checkAreas(folder: string, name: string, pagemap: Pagemap): Promise<Areas> {
  const mm = mmNameOf(name);
  if (mm === null) return { never: [], blank: [{ page: 0, pages: 2 ** 52 }] };
  const vmas = readVmas(await readImage(folder, mm), path.join(folder, mm));
  const stray = strayPage(pagemap, inOrder(vmas.filter(isPrivate)));
  if (stray !== null) throw malformed(path.join(folder, name), `the page at ${address(stray)} is in no private memory area`);
  return { never: inOrder(vmas.filter(neverInParent)), blank: inOrder(vmas.filter(isBlankWhenAbsent)) };
}
