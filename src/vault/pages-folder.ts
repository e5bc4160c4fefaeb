import { readFile } from "node:fs/promises";
import path from "node:path";
import { malformed } from "../images/malformed.ts";
import { type Pagemap, readPagemap } from "../images/pagemap.ts";
import type { Line } from "../images/resolve.ts";

/** A small image, whole. Faults: `image-malformed` if it is not there. */
export async function readImage(folder: string, name: string): Promise<Buffer> {
  const file = path.join(folder, name);
  return readFile(file).catch((error: NodeJS.ErrnoException) => {
    throw error.code === "ENOENT" ? malformed(file, "it is missing") : error;
  });
}

/**
 * The pagemaps of this name in `folders`, nearest first, up to the first folder that has none: there a new process, or a
 * new shared object, begins. `seen`: those read before, by path, for a caller that asks again; what is read is added.
 */
export async function readLine(folders: readonly string[], name: string, seen = new Map<string, Pagemap | null>()): Promise<Line> {
  const maps: Pagemap[] = [];
  for (const folder of folders) {
    const file = path.join(folder, name);
    const known = seen.get(file);
    const map = known === undefined ? await readIfThere(file) : known;
    seen.set(file, map);
    if (map === null) return { maps, end: "no-pagemap" };
    maps.push(map);
  }
  return { maps, end: "no-parent" };
}

async function readIfThere(file: string): Promise<Pagemap | null> {
  try {
    return readPagemap(await readFile(file), file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
