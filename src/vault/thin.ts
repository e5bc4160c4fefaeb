import { readdir, stat, symlink } from "node:fs/promises";
import path from "node:path";
import type { ThinReport, ZeroPages } from "../engine/ports.ts";
import { isPagemapName, mmNameOf, pagesName, PARENT_LINK } from "../images/image-names.ts";
import { readInventory } from "../images/inventory.ts";
import { malformed } from "../images/malformed.ts";
import { leansOnParent, PAGE, storedPages, writePagemap } from "../images/pagemap.ts";
import { highestPid, readPstree } from "../images/pstree.ts";
import { type Digest, writeWhole } from "./pages-write.ts";
import { readImage, readLine } from "./pages-folder.ts";
import { moveFile } from "./pages-move.ts";
import { checkAreas } from "./pages-vmas.ts";
import { keepPages, thinPages } from "./pages-thin.ts";

export type ThinRequest = {
  /** Where CRIU dumped to; files are moved out of it, so it is of no use afterwards, whatever happens. */
  readonly staging: string;
  /** An empty folder. */
  readonly into: string;
  /** Folders of the parent, its parent and so on; empty for a base. */
  readonly chain: readonly string[];
  /** What the `parent` link is to say, for example `../6`; written only if pages are left to the parent. */
  readonly parentLink: string | null;
  /** `keep`: all pages as CRIU wrote them, because its `--auto-dedup` has taken them out of the parents. */
  readonly pages?: "compare" | "keep";
  readonly zeros?: ZeroPages;
};

/**
 * Makes a native CRIU increment of a dump: each page, private or shared, that equals byte for byte the one the parents hold is left to
 * them; what CRIU itself left to them stays so; all other pages are kept, densely. Works on full dumps and on those of `--track-mem`.
 * All other images are moved as they are. Digests everything on the way and syncs nothing. Pages full of zeros are left out as `zeros` says,
 * where a restore makes them anew.
 *
 * Faults: `image-malformed` if an image of the dump or a parent's pages cannot be trusted: such a dump must not be sealed.
 */
export async function thin(request: ThinRequest, onProgress: (bytes: number, total: number) => void): Promise<ThinReport> {
  const { staging, into, chain } = request;
  const sizes = await imagesIn(staging);
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const digests: Record<string, Digest> = {};
  const sum = { pagesKept: 0, pagesShared: 0, pagesBlank: 0, bytesRead: 0, bytesWritten: 0 };
  let done = 0;
  const progress = (bytes: number): void => onProgress((done += bytes), total);
  const processes = readPstree(await readImage(staging, "pstree.img"), path.join(staging, "pstree.img"));
  const zeros = await zerosOf(request);
  let needsLink = false;

  for (const name of [...sizes.keys()].filter(isPagemapName)) {
    const line = await readLine([staging, ...chain], name);
    const [own] = line.maps;
    if (own === undefined) throw malformed(path.join(staging, name), "it is missing");
    const pages = pagesName(own.pagesId);
    if (digests[pages] !== undefined) throw malformed(path.join(staging, name), `${pages} belongs to another pagemap already`);
    checkLength(path.join(staging, pages), sizes.get(pages), storedPages(own) * PAGE);
    const areas = await checkAreas(staging, name, own);
    const leavesOut = zeros === "left-out" || (zeros === "left-out-of-shared" && mmNameOf(name) === null);
    const memory = { folders: [staging, ...chain], name, line, own, areas: leavesOut ? areas : { ...areas, blank: [] } };
    const thinned = await (request.pages === "keep" ? keepPages : thinPages)(memory, into, progress);
    const pagemap = await writeWhole(path.join(into, name), writePagemap(thinned.pagemap));
    digests[pages] = thinned.digest;
    digests[name] = pagemap;
    progress(sizes.get(name) ?? 0);
    sizes.delete(name);
    sizes.delete(pages);
    needsLink ||= leansOnParent(thinned.pagemap);
    sum.pagesKept += thinned.pagesKept;
    sum.pagesShared += thinned.pagesShared;
    sum.pagesBlank += thinned.pagesBlank;
    sum.bytesRead += thinned.bytesRead;
    sum.bytesWritten += thinned.bytesWritten + pagemap.bytes;
  }
  for (const name of sizes.keys()) {
    const moved = await moveFile(path.join(staging, name), path.join(into, name), progress);
    digests[name] = moved.digest;
    sum.bytesRead += moved.digest.bytes;
    sum.bytesWritten += moved.bytesWritten;
  }
  if (needsLink) await link(request);
  return { digests, ...sum, highestPid: highestPid(processes), processes: processes.length };
}

/**
 * A dump of `--track-mem` is one that CRIU's next dump may stand on, and then each of its private pages that was written to must be listed here
 * ("Missing ... in parent pagemap" otherwise): whatever is asked, only those of shared objects may be left out of it.
 */
async function zerosOf({ staging, zeros = "kept" }: ThinRequest): Promise<ZeroPages> {
  if (zeros !== "left-out") return zeros;
  const inventory = readInventory(await readImage(staging, "inventory.img"), path.join(staging, "inventory.img"));
  return inventory.dumpUptime === null ? zeros : "left-out-of-shared";
}

/** Names and lengths of a dump's files. CRIU makes nothing else but its own `parent` link, which is written anew. */
async function imagesIn(staging: string): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (const entry of await readdir(staging, { withFileTypes: true })) {
    const file = path.join(staging, entry.name);
    if (entry.isFile()) sizes.set(entry.name, (await stat(file)).size);
    else if (entry.name !== PARENT_LINK) throw malformed(file, "it is no plain file");
  }
  return sizes;
}

function checkLength(file: string, found: number | undefined, expected: number): void {
  if (found === undefined) throw malformed(file, "it is missing");
  if (found !== expected) throw malformed(file, `it has ${found} bytes, its pagemap tells of ${expected}`);
}

async function link({ into, parentLink }: ThinRequest): Promise<void> {
  if (parentLink === null) throw new Error("pages are left to a parent, but no link to it was given");
  await symlink(parentLink, path.join(into, PARENT_LINK));
}
