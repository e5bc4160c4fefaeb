import { readFile } from "node:fs/promises";
import path from "node:path";
import { malformed } from "../images/malformed.ts";
import { type Pagemap, readPagemap } from "../images/pagemap.ts";
import type { Line } from "../images/resolve.ts";
import { packedImage } from "./pack-read.ts";

/** A small image, whole; of a packed generation out of its pack. Faults: `image-malformed` if it is not there. */
export async function readImage(folder: string, name: string): Promise<Buffer> {
  const file = path.join(folder, name);
  const bytes = await smallImage(folder, name);
  if (bytes === null) throw malformed(file, "it is missing");
  return bytes;
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
    const map = known === undefined ? await readIfThere(folder, name) : known;
    seen.set(file, map);
    if (map === null) return { maps, end: "no-pagemap" };
    maps.push(map);
  }
  return { maps, end: "no-parent" };
}

async function readIfThere(folder: string, name: string): Promise<Pagemap | null> {
  const bytes = await smallImage(folder, name);
  return bytes === null ? null : readPagemap(bytes, path.join(folder, name));
}

async function smallImage(folder: string, name: string): Promise<Buffer | null> {
  return readFile(path.join(folder, name)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return packedImage(folder, name);
  });
}
