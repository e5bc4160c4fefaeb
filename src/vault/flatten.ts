import { constants, copyFile, lstat, mkdir, readdir } from "node:fs/promises";
import path from "node:path";
import { Fault } from "../faults/fault.ts";
import { isPagemapName, pagesName } from "../images/image-names.ts";
import { malformed } from "../images/malformed.ts";
import { IN_PARENT, type Pagemap, PRESENT, writePagemap } from "../images/pagemap.ts";
import { EntryJoiner, planFlatten } from "../images/page-plan.ts";
import type { Line } from "../images/resolve.ts";
import { readPieces } from "./pages-batch.ts";
import { readLine } from "./pages-folder.ts";
import { HeldPages } from "./pages-holes.ts";
import { PagesReader } from "./pages-read.ts";
import { DigestWriter, writeWhole } from "./pages-write.ts";
import { MANIFEST } from "./paths.ts";

/**
 * Writes a copy of a generation's images that stands alone: every page resolved, no `parent`. `chain`: its folder, its parent's, and
 * so on. `into` is made if need be, and must be empty. Neither the manifest nor folders (captured files) are copied. Syncs nothing.
 * Gives the length of the copy in bytes. A failure in the middle leaves a part of it.
 * Faults: `directory-not-empty`; `image-malformed` if the chain does not hold every page.
 */
export async function flatten(chain: readonly string[], into: string): Promise<{ readonly bytes: number }> {
  const [folder] = chain;
  if (folder === undefined) throw new Error("a chain has at least one generation");
  await mkdir(into, { recursive: true, mode: 0o700 });
  if ((await readdir(into)).length > 0) throw Fault.of("directory-not-empty", { dir: into });

  const entries = await readdir(folder, { withFileTypes: true });
  const names = new Set(entries.flatMap((entry) => (entry.isFile() && entry.name !== MANIFEST ? [entry.name] : [])));
  let bytes = 0;
  for (const name of [...names].filter(isPagemapName)) {
    const line = await readLine(chain, name);
    const [own] = line.maps;
    if (own === undefined) throw malformed(path.join(folder, name), "it is missing");
    names.delete(name);
    names.delete(pagesName(own.pagesId));
    bytes += await flattenPages(chain, name, line, own, into);
  }
  for (const name of names) bytes += await copyWhole(path.join(folder, name), path.join(into, name));
  return { bytes };
}

async function flattenPages(chain: readonly string[], name: string, line: Line, own: Pagemap, into: string): Promise<number> {
  const files = line.maps.map((map, i) => path.join(chain[i] ?? "", pagesName(map.pagesId)));
  const held = new HeldPages(path.join(chain[0] ?? "", name));
  const file = path.join(into, pagesName(own.pagesId));
  const joiner = new EntryJoiner(name);
  const reader = new PagesReader(files);
  const writer = await DigestWriter.create(file);
  try {
    for await (const batch of readPieces(planFlatten(line), reader)) {
      for (const { piece, bytes } of batch) {
        held.note(piece);
        joiner.add(piece.entry, piece.page, piece.pages, bytes === undefined ? piece.flags : (piece.flags & ~IN_PARENT) | PRESENT);
        if (bytes !== undefined) await writer.push(bytes);
      }
    }
    const pages = await writer.end();
    const pagemap = await writeWhole(path.join(into, name), writePagemap(joiner.build(own.pagesId)));
    return pages.bytes + pagemap.bytes;
  } finally {
    await Promise.all([writer.close(), reader.close()]);
  }
}

async function copyWhole(from: string, to: string): Promise<number> {
  await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  return (await lstat(to)).size;
}
