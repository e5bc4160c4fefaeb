import { symlink } from "node:fs/promises";
import path from "node:path";
import type { FileDigests } from "../domain/manifest.ts";
import type { Damage } from "../engine/ports.ts";
import { isPagemapName, pagesName, PARENT_LINK } from "../images/image-names.ts";
import { leansOnParent, PAGE, type Pagemap, readPagemap, writePagemap } from "../images/pagemap.ts";
import type { SealedFolder } from "./pages-check.ts";
import { readImage, readLine } from "./pages-folder.ts";
import { type Memory, thinPages } from "./pages-thin.ts";
import { checkAreas } from "./pages-vmas.ts";
import { writeWhole } from "./pages-write.ts";
import { checkDigests } from "./verify.ts";

export type DedupedFolder = {
  /** Of the files that were written; all others stay as they are. */
  readonly digests: FileDigests;
  readonly pagesKept: number;
  readonly pagesDropped: number;
  /** In a file that had to be read; nothing was written then. */
  readonly damage: readonly Damage[];
};

/**
 * Writes those memories of a generation anew that its parents have too, each without the pages that are the same there, and the `parent`
 * link. All pages of the chain's memories are read against their digests first: pages must not be given up for damaged ones. Syncs
 * nothing; a failure in the middle leaves a part of it. Faults: `image-malformed`.
 */
export async function dedupFolder(
  chain: readonly SealedFolder[],
  into: string,
  onProgress: (bytes: number, total: number) => void,
): Promise<DedupedFolder> {
  const [head] = chain;
  const folders = chain.map(({ folder }) => folder);
  const names = Object.keys(head?.digests ?? {}).filter(isPagemapName);
  const sources = chain.map((member) => ({ ...member, digests: onlyMemory(member.digests) }));
  const reads = sources.flatMap(({ digests }) => Object.values(digests)).reduce((sum, { bytes }) => sum + bytes, 0);
  const total = reads + Object.values(sources[0]?.digests ?? {}).reduce((sum, { bytes }) => sum + bytes, 0);
  const damage = await checkDigests(sources, (bytes) => onProgress(bytes, total));
  if (damage.length > 0) return { digests: {}, pagesKept: 0, pagesDropped: 0, damage };

  let digests: FileDigests = {};
  let [kept, dropped, done, leans] = [0, 0, reads, false];
  for (const name of names) {
    const memory = await open(folders, name);
    const file = pagesName(memory.own.pagesId);
    if (memory.line.maps.length === 1) {
      // The parents have no memory of this name; and the file must stay where it is.
      kept += (head?.digests[file]?.bytes ?? 0) / PAGE;
      continue;
    }
    const thinned = await thinPages(memory, into, (bytes) => onProgress((done += bytes), total));
    const pagemap = await writeWhole(path.join(into, name), writePagemap(thinned.pagemap));
    digests = { ...digests, [file]: thinned.digest, [name]: pagemap };
    kept += thinned.pagesKept;
    dropped += thinned.pagesShared;
    leans ||= leansOnParent(thinned.pagemap);
  }
  if (leans) await symlink(`../${chain[1]?.number}`, path.join(into, PARENT_LINK));
  return { digests, pagesKept: kept, pagesDropped: dropped, damage };
}

async function open(folders: readonly string[], name: string): Promise<Memory & { readonly own: Pagemap }> {
  const folder = folders[0] ?? "";
  const own = readPagemap(await readImage(folder, name), path.join(folder, name));
  // Zeros stay: what stands on this generation may read them from it.
  const areas = { ...(await checkAreas(folder, name, own)), blank: [] };
  return { folders, name, own, line: await readLine(folders, name), areas };
}

function onlyMemory(digests: FileDigests): FileDigests {
  return Object.fromEntries(Object.entries(digests).filter(([name]) => isPagemapName(name) || /^pages-\d+\.img$/.test(name)));
}
