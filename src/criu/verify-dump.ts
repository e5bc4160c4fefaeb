import { readdir, readFile, readlink, stat } from "node:fs/promises";
import path from "node:path";
import type { PreDumpRound } from "../domain/pre-dump.ts";
import type { DumpRequest, DumpStats } from "../engine/ports.ts";
import { Fault } from "../faults/fault.ts";
import { isPagemapName, PARENT_LINK, pagesName } from "../images/image-names.ts";
import { readInventory } from "../images/inventory.ts";
import { IN_PARENT, PAGE, readPagemap, storedPages } from "../images/pagemap.ts";
import { readStatsDump, type StatsDump } from "../images/stats-dump.ts";

/** A dump that is all there, with CRIU's own figures, or what is wrong with it, as the end of a sentence. */
export type DumpFound = { readonly type: "sound"; readonly stats: DumpStats } | Unsound;

type Unsound = { readonly type: "unsound"; readonly why: string; readonly cause?: unknown };

/**
 * The checks of criu-facts section 8 after an exit status of 0: CRIU's figures (written last of all), an inventory of a dump and
 * not of a pre-dump, every pages file as long as its map says, and `parent` where it was meant to be and nowhere else.
 */
export async function readDump(images: string, track: DumpRequest["track"]): Promise<DumpFound> {
  return orUnsound(async () => {
    const read = (name: string) => readFile(path.join(images, name));
    const found = readStatsDump(await read("stats-dump"), "stats-dump");
    const inventory = readInventory(await read("inventory.img"), "inventory.img");
    if (inventory.imgVersion === 0) return unsound("it left a pre-dump, which cannot be restored");
    if (track && inventory.dumpUptime === null) return unsound("its inventory does not say that memory was tracked");
    const names = await pagemapsIn(images);
    if (names.length === 0) return unsound("it holds no memory at all");
    const parent = track?.parent ?? null;
    const trouble = (await wrongParent(images, parent)) ?? (await wrongPages(images, parent, names));
    if (trouble !== null) return unsound(trouble);
    return { type: "sound", stats: sums(found) };
  });
}

/** A pre-dump that is all there, or what is wrong with it. */
export type PreDumpFound = { readonly type: "sound"; readonly round: PreDumpRound } | Unsound;

/** The same checks of a pre-dump. It may hold no memory: CRIU passes over processes that stand still anyway. */
export async function readPreDump(images: string, parent: string | null): Promise<PreDumpFound> {
  return orUnsound(async () => {
    const read = (name: string) => readFile(path.join(images, name));
    const found = readStatsDump(await read("stats-dump"), "stats-dump");
    const inventory = readInventory(await read("inventory.img"), "inventory.img");
    if (inventory.imgVersion !== 0) return unsound("it left a dump in place of a pre-dump");
    if (inventory.dumpUptime === null) return unsound("its inventory does not say that memory was tracked");
    const names = await pagemapsIn(images);
    const trouble = (await wrongParent(images, parent)) ?? (await wrongPages(images, parent, names));
    if (trouble !== null) return unsound(trouble);
    let pages = 0;
    for (const name of names) pages += storedPages(readPagemap(await read(name), name));
    return { type: "sound", round: { pages, freezeMicros: found.frozenTime } };
  });
}

async function orUnsound<Found>(look: () => Promise<Found>): Promise<Found | Unsound> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof Fault) return unsound(error.message, error);
    if (isMissing(error)) return unsound(`${path.basename(error.path ?? "an image")} is missing`, error);
    throw error;
  }
}

async function pagemapsIn(images: string): Promise<readonly string[]> {
  return (await readdir(images)).filter(isPagemapName);
}

async function wrongParent(images: string, parent: string | null): Promise<string | null> {
  const link = await readlink(path.join(images, PARENT_LINK)).catch((error: unknown) => {
    if (isMissing(error)) return null;
    throw error;
  });
  if (link === parent) return null;
  return parent === null
    ? `it linked a parent (${link}) that was not asked for`
    : `its parent is ${link ?? "missing"}, not ${parent}`;
}

async function wrongPages(images: string, parent: string | null, names: readonly string[]): Promise<string | null> {
  for (const name of names) {
    const pagemap = readPagemap(await readFile(path.join(images, name)), name);
    const expected = storedPages(pagemap) * PAGE;
    const pages = pagesName(pagemap.pagesId);
    const { size } = await stat(path.join(images, pages));
    if (size !== expected) return `${pages} has ${size} bytes where ${name} lists ${expected}`;
    if (parent === null && pagemap.flags.some((flags) => (flags & IN_PARENT) !== 0)) {
      return `${name} leaves pages to a parent that there is not`;
    }
  }
  return null;
}

function sums(found: StatsDump): DumpStats {
  return {
    freezeMicros: found.frozenTime,
    memdumpMicros: found.memdumpTime,
    memwriteMicros: found.memwriteTime,
    pagesScanned: found.pagesScanned + found.shpagesScanned,
    pagesSkipped: found.pagesSkippedParent + found.shpagesSkippedParent,
    pagesWritten: found.pagesWritten + found.shpagesWritten,
  };
}

function unsound(why: string, cause?: unknown): Unsound {
  return cause === undefined ? { type: "unsound", why } : { type: "unsound", why, cause };
}

function isMissing(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
