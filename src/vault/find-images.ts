import { readdir, realpath } from "node:fs/promises";
import path from "node:path";
import type { FoundImages } from "../domain/found-images.ts";
import { Fault } from "../faults/fault.ts";
import { isPagemapName, pagesName } from "../images/image-names.ts";
import { planFlatten } from "../images/page-plan.ts";
import { isErrno } from "./disk-fault.ts";
import { type ForeignFolder, holdsImages, lookInto } from "./foreign-folder.ts";
import type { Holes } from "./holes.ts";
import { damageOf } from "./pages-damage.ts";
import { readLine } from "./pages-folder.ts";
import { describeHole } from "./pages-holes.ts";

/**
 * The image directories that somebody left in a folder: itself, or those directly below it, and all that they stand on, wherever that is.
 * Each is judged with its chain: a dump is one only if every page of it is held by somebody, in a sound file, and not in a hole. Reads no
 * pages and changes nothing. Fault: `nothing-to-adopt` if the folder cannot be read.
 */
export async function findImages(root: string, holes: Holes): Promise<readonly FoundImages[]> {
  const listed = await listedIn(root);
  const looked = new Map<string, ForeignFolder>();
  const queue = [...listed.keys()];
  for (let folder = queue.shift(); folder !== undefined; folder = queue.shift()) {
    if (looked.has(folder)) continue;
    const found = await lookInto(folder, holes);
    looked.set(folder, found);
    if (found.parent !== null) queue.push(found.parent);
  }
  const all: FoundImages[] = [];
  for (const { folder, parent, cautions, content } of looked.values()) {
    const judged = content.what === "dump" ? await judge(folder, looked) : null;
    const about = { folder, name: listed.get(folder) ?? folder, isListed: listed.has(folder), parent, cautions };
    all.push(judged === null ? { ...about, ...content } : { ...about, what: "flawed", why: judged });
  }
  return all;
}

/** Folders by their names. */
async function listedIn(root: string): Promise<ReadonlyMap<string, string>> {
  try {
    const top = await realpath(root);
    if (await holdsImages(top)) return new Map([[top, "."]]);
    const listed = new Map<string, string>();
    for (const entry of await readdir(top, { withFileTypes: true })) {
      const folder = path.join(top, entry.name);
      if (entry.isDirectory() && (await holdsImages(folder))) listed.set(folder, entry.name);
    }
    return listed;
  } catch (error) {
    if (isErrno(error, "ENOENT")) throw Fault.of("nothing-to-adopt", { dir: root, why: "it is not there" }, { cause: error });
    if (isErrno(error, "ENOTDIR")) throw Fault.of("nothing-to-adopt", { dir: root, why: "it is no folder" }, { cause: error });
    throw error;
  }
}

/** Why not every page of a dump can be had; `null`: all can. */
async function judge(folder: string, looked: ReadonlyMap<string, ForeignFolder>): Promise<string | null> {
  const chain: ForeignFolder[] = [];
  for (let at = looked.get(folder); at !== undefined; at = looked.get(at.parent ?? "")) {
    if (chain.includes(at)) return "what it stands on goes round in a circle";
    chain.push(at);
  }
  try {
    const folders = chain.map((one) => one.folder);
    for (const name of (await readdir(folder)).filter(isPagemapName)) {
      const why = await judgeMemory(name, chain, folders);
      if (why !== null) return why;
    }
    return null;
  } catch (error) {
    const why = damageOf(error);
    if (why === null) throw error;
    return why;
  }
}

async function judgeMemory(name: string, chain: readonly ForeignFolder[], folders: readonly string[]): Promise<string | null> {
  const line = await readLine(folders, name);
  let punched = 0;
  let where = "";
  for (const piece of planFlatten(line)) {
    if (piece.what === "held" && piece.by.type === "hole") return `${name}: ${describeHole(piece.by)}`;
    if (piece.what !== "bytes") continue;
    const { holder, offset, pages } = piece.at;
    const owner = chain[holder];
    if (holder > 0 && owner?.content.what === "flawed") return `it reads pages of ${owner.folder}, and ${owner.content.why}`;
    const file = pagesName(line.maps[holder]?.pagesId ?? 0);
    const lost = overlap(owner?.punched.get(file) ?? [], offset, offset + pages);
    if (lost > 0) where ||= path.join(holder === 0 ? "" : (owner?.folder ?? ""), file);
    punched += lost;
  }
  if (punched === 0) return null;
  return `${punched} of its pages lie in holes of ${where}: \`criu dedup\` or --auto-dedup punched them out, or a sparse copy left them out`;
}

/** How many of the pages from `from` to `to` lie in one of the ranges. */
function overlap(ranges: readonly { readonly from: number; readonly to: number }[], from: number, to: number): number {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ranges[middle]?.to ?? 0) <= from) low = middle + 1;
    else high = middle;
  }
  let sum = 0;
  for (let at = low; at < ranges.length; at++) {
    const range = ranges[at];
    if (range === undefined || range.from >= to) break;
    sum += Math.min(range.to, to) - Math.max(range.from, from);
  }
  return sum;
}
