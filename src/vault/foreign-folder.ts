import type { Stats } from "node:fs";
import { lstat, open, readdir, readlink, realpath } from "node:fs/promises";
import path from "node:path";
import type { DumpFacts } from "../domain/found-images.ts";
import { isPagemapName, mmNameOf, pagesName, PARENT_LINK } from "../images/image-names.ts";
import { readInventory } from "../images/inventory.ts";
import { malformed } from "../images/malformed.ts";
import { entriesOf, IN_PARENT, PAGE, type Pagemap, readPagemap, storedPages } from "../images/pagemap.ts";
import { readPstree } from "../images/pstree.ts";
import { readStatsDump, type StatsDump } from "../images/stats-dump.ts";
import { isErrno } from "./disk-fault.ts";
import type { Holes } from "./holes.ts";
import { damageOf } from "./pages-damage.ts";
import { readImage } from "./pages-folder.ts";
import { checkAreas } from "./pages-vmas.ts";

/** One image directory as far as it can be judged without its parents. */
export type ForeignFolder = {
  readonly folder: string;
  /** Where the link leads; `null`: there is no link, or it leads nowhere. */
  readonly parent: string | null;
  readonly cautions: readonly string[];
  readonly content:
    | { readonly what: "dump"; readonly facts: DumpFacts }
    | { readonly what: "pre-dump" }
    | { readonly what: "flawed"; readonly why: string };
  /** By name of the pages file: pages that a hole was punched into, counted from the file's begin, in order. */
  readonly punched: ReadonlyMap<string, readonly { readonly from: number; readonly to: number }[]>;
};

/** Does it hold anything that only CRIU would have left there? */
export async function holdsImages(folder: string): Promise<boolean> {
  return (await readdir(folder)).some((name) => name === "inventory.img" || isPagemapName(name));
}

/** Reads every small image there is, and of the pages files the lengths and the holes. Changes nothing. */
export async function lookInto(folder: string, holes: Holes): Promise<ForeignFolder> {
  const cautions: string[] = [];
  const punched = new Map<string, readonly { from: number; to: number }[]>();
  const link = await parentOf(folder);
  try {
    if ("missing" in link) throw malformed(path.join(folder, PARENT_LINK), `it leads to ${link.missing}, which is not there`);
    const files = await filesIn(folder);
    const uncertain = ownersOf(files);
    if (uncertain !== null) cautions.push(uncertain);
    const inventory = readInventory(await readImage(folder, "inventory.img"), path.join(folder, "inventory.img"));
    const isDump = inventory.imgVersion !== 0;
    let [stored, inParent] = [0, 0];
    for (const name of [...files.keys()].filter(isPagemapName)) {
      const pagemap = await checkMemory(folder, name, files);
      punched.set(pagesName(pagemap.pagesId), await punchedPages(path.join(folder, pagesName(pagemap.pagesId)), holes));
      stored += storedPages(pagemap);
      for (const { pages, flags } of entriesOf(pagemap)) if ((flags & IN_PARENT) !== 0) inParent += pages;
    }
    const stats = await statsIn(folder);
    if (stats === null)
      cautions.push("it has no sound stats-dump, which CRIU writes last: that the dump ended well cannot be told");
    const { parent } = link;
    if (!isDump) return { folder, parent, cautions, punched, content: { what: "pre-dump" } };
    const facts = { ...(await treeFacts(folder, files)), ...statsFacts(stats), pagesStored: stored, pagesInParent: inParent };
    return {
      folder,
      parent,
      cautions,
      punched,
      content: { what: "dump", facts: { ...facts, tracked: inventory.dumpUptime !== null } },
    };
  } catch (error) {
    const why = damageOf(error);
    if (why === null) throw error;
    return { folder, parent: "parent" in link ? link.parent : null, cautions, punched, content: { what: "flawed", why } };
  }
}

async function parentOf(folder: string): Promise<{ readonly parent: string | null } | { readonly missing: string }> {
  const file = path.join(folder, PARENT_LINK);
  try {
    const target = await readlink(file);
    return {
      parent: await realpath(file).catch((error: unknown) =>
        Promise.reject(isErrno(error, "ENOENT", "ENOTDIR", "ELOOP") ? new Missing(target) : error),
      ),
    };
  } catch (error) {
    if (error instanceof Missing) return { missing: error.message };
    if (isErrno(error, "ENOENT", "EINVAL")) return { parent: null };
    throw error;
  }
}

class Missing extends Error {}

/** The plain files by name. Whatever is called an image must be one of them. */
async function filesIn(folder: string): Promise<ReadonlyMap<string, Stats>> {
  const files = new Map<string, Stats>();
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isFile()) files.set(entry.name, await lstat(path.join(folder, entry.name)));
    else if (entry.name.endsWith(".img")) throw malformed(path.join(folder, entry.name), "it is no plain file");
  }
  return files;
}

async function checkMemory(folder: string, name: string, files: ReadonlyMap<string, Stats>): Promise<Pagemap> {
  const pagemap = readPagemap(await readImage(folder, name), path.join(folder, name));
  const pages = pagesName(pagemap.pagesId);
  const [found, expected] = [files.get(pages)?.size, storedPages(pagemap) * PAGE];
  if (found !== expected)
    throw malformed(path.join(folder, pages), `${name} tells of ${expected} bytes, it has ${found ?? "none"}`);
  const mm = mmNameOf(name);
  if (mm !== null && files.has(mm)) await checkAreas(folder, name, pagemap);
  return pagemap;
}

async function treeFacts(folder: string, files: ReadonlyMap<string, Stats>): Promise<Pick<DumpFacts, "takenAt" | "rootVpid">> {
  const processes = readPstree(await readImage(folder, "pstree.img"), path.join(folder, "pstree.img"));
  for (const { pid } of processes) {
    if (!files.has(`core-${pid}.img`)) throw malformed(path.join(folder, `core-${pid}.img`), "it is missing");
    if (files.has(`mm-${pid}.img`) && !files.has(`pagemap-${pid}.img`))
      throw malformed(path.join(folder, `pagemap-${pid}.img`), "it is missing");
  }
  const pids = new Set(processes.map(({ pid }) => pid));
  const root = processes.find(({ ppid }) => !pids.has(ppid)) ?? processes[0];
  return { takenAt: Math.floor(files.get("inventory.img")?.mtimeMs ?? 0), rootVpid: root?.pid ?? 0 };
}

/** `null`: none, or none that can be read; with `-W` CRIU writes it elsewhere. */
async function statsIn(folder: string): Promise<StatsDump | null> {
  try {
    return readStatsDump(await readImage(folder, "stats-dump"), "stats-dump");
  } catch (error) {
    if (damageOf(error) === null) throw error;
    return null;
  }
}

function statsFacts(stats: StatsDump | null): Pick<DumpFacts, "freezeMicros" | "pagesScanned"> {
  return { freezeMicros: stats?.frozenTime ?? 0, pagesScanned: (stats?.pagesScanned ?? 0) + (stats?.shpagesScanned ?? 0) };
}

/** L9: whoever could write here chose what a restore runs, and as whom. */
function ownersOf(files: ReadonlyMap<string, Stats>): string | null {
  const others = [...files.values()].filter(({ uid, mode }) => uid !== process.geteuid?.() || (mode & 0o022) !== 0);
  if (others.length === 0) return null;
  return "others could write its files: whoever did chose what a restore runs, and as whom";
}

/** A page that lies in a hole even in part was punched: CRIU itself never leaves one (`docs/explanation/adopt.md`). */
async function punchedPages(file: string, holes: Holes): Promise<readonly { from: number; to: number }[]> {
  const handle = await open(file, "r");
  try {
    const found = holes(handle.fd, (await handle.stat()).size);
    return found.map(({ from, to }) => ({ from: Math.floor(from / PAGE), to: Math.ceil(to / PAGE) }));
  } finally {
    await handle.close();
  }
}
