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
 * new shared object, begins.
 */
export async function readLine(folders: readonly string[], name: string): Promise<Line> {
  const maps: Pagemap[] = [];
  for (const folder of folders) {
    const file = path.join(folder, name);
    const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return null;
      throw error;
    });
    if (bytes === null) return { maps, end: "no-pagemap" };
    maps.push(readPagemap(bytes, file));
  }
  return { maps, end: "no-parent" };
}
