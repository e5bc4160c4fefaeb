import path from "node:path";
import { sample } from "../domain/sample.ts";
import type { PageSample, SampledPage } from "../engine/ports.ts";
import { type ByteRange, readRseq } from "../images/core.ts";
import { pagesName } from "../images/image-names.ts";
import { inOrder, isKept, type PageRange, readVmas } from "../images/mm.ts";
import { PAGE } from "../images/pagemap.ts";
import { planFlatten } from "../images/page-plan.ts";
import { readPstree, type TreeProcess } from "../images/pstree.ts";
import type { Extent, Line } from "../images/resolve.ts";
import { readImage, readLine } from "./pages-folder.ts";
import { PagesReader, Scratch } from "./pages-read.ts";

/** The memory of one process: its pages that a restore brings back, by who holds them. */
type Memory = {
  readonly vpid: number;
  readonly line: Line;
  readonly extents: readonly Extent[];
  readonly unsteady: readonly ByteRange[];
};

/**
 * At most `most` pages of the private memory of all processes of a generation, resolved through its chain (its folder, its parent's, and so
 * on). Pagemaps are read whole, of the pages only those chosen. Faults: `image-malformed`.
 */
export async function samplePages(chain: readonly string[], most: number, seed: string): Promise<PageSample> {
  const folder = chain[0] ?? "";
  const memories: Memory[] = [];
  for (const task of readPstree(await readImage(folder, "pstree.img"), path.join(folder, "pstree.img"))) {
    const memory = await memoryOf(chain, folder, task);
    if (memory) memories.push(memory);
  }
  const total = memories.flatMap(({ extents }) => extents).reduce((sum, { pages }) => sum + pages, 0);
  const chosen = sample(total, most, seed);
  const pages: SampledPage[] = [];
  let [first, next] = [0, 0];
  for (const memory of memories) {
    const picked: Extent[] = [];
    for (const extent of memory.extents) {
      for (let index = chosen[next]; index !== undefined && index < first + extent.pages; index = chosen[++next]) {
        const skip = index - first;
        picked.push({ ...extent, page: extent.page + skip, pages: 1, offset: extent.offset + skip });
      }
      first += extent.pages;
    }
    pages.push(...(await readPicked(chain, memory, picked)));
  }
  return { pages, total };
}

/** `null`: it has none of its own (a zombie, or one that shares another's). */
async function memoryOf(chain: readonly string[], folder: string, { pid, threads }: TreeProcess): Promise<Memory | null> {
  const line = await readLine(chain, `pagemap-${pid}.img`);
  if (line.maps.length === 0) return null;
  const mm = `mm-${pid}.img`;
  const kept = inOrder(readVmas(await readImage(folder, mm), path.join(folder, mm)).filter(isKept));
  const extents: Extent[] = [];
  for (const piece of planFlatten(line)) if (piece.what === "bytes") extents.push(...within(piece.at, kept));
  const unsteady: ByteRange[] = [];
  for (const tid of new Set([pid, ...threads])) {
    const core = `core-${tid}.img`;
    const range = readRseq(await readImage(folder, core), path.join(folder, core));
    if (range) unsteady.push(range);
  }
  return { vpid: pid, line, extents, unsteady };
}

/** The parts of an extent that lie in these ranges, which are in order and apart. */
function within(extent: Extent, ranges: readonly PageRange[]): readonly Extent[] {
  const found: Extent[] = [];
  for (const { page, pages } of ranges) {
    const from = Math.max(page, extent.page);
    const upTo = Math.min(page + pages, extent.page + extent.pages);
    if (from >= upTo) continue;
    found.push({ ...extent, page: from, pages: upTo - from, offset: extent.offset + from - extent.page });
  }
  return found;
}

async function readPicked(chain: readonly string[], memory: Memory, picked: readonly Extent[]): Promise<readonly SampledPage[]> {
  const files = memory.line.maps.map((map, holder) => path.join(chain[holder] ?? "", pagesName(map.pagesId)));
  const reader = new PagesReader(files);
  try {
    const wanted = picked.map(({ holder, offset }) => ({ source: holder, offset: offset * PAGE, bytes: PAGE }));
    const read = await reader.read(wanted, new Scratch());
    return picked.map(({ page }, index) => ({
      vpid: memory.vpid,
      page,
      bytes: Buffer.from(read[index] ?? []),
      unsteady: unsteadyIn(page, memory.unsteady),
    }));
  } finally {
    await reader.close();
  }
}

function unsteadyIn(page: number, ranges: readonly ByteRange[]): SampledPage["unsteady"] {
  const begin = page * PAGE;
  return ranges.flatMap(({ address, bytes }) => {
    const [from, to] = [Math.max(0, address - begin), Math.min(PAGE, address + bytes - begin)];
    return from < to ? [{ from, to }] : [];
  });
}
