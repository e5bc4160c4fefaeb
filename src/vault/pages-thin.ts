import path from "node:path";
import { pagesName } from "../images/image-names.ts";
import type { PageRange } from "../images/mm.ts";
import { IN_PARENT, LAZY, PAGE, type Pagemap, storedPages } from "../images/pagemap.ts";
import { EntryJoiner, planThin } from "../images/page-plan.ts";
import type { Line } from "../images/resolve.ts";
import { type ReadPiece, readPieces } from "./pages-batch.ts";
import { HeldPages } from "./pages-holes.ts";
import { moveFile } from "./pages-move.ts";
import { PagesReader } from "./pages-read.ts";
import { type Digest, DigestWriter } from "./pages-write.ts";

export type Memory = {
  /** The folder it is in, its parent's, and so on. */
  readonly folders: readonly string[];
  /** The pagemap's. */
  readonly name: string;
  readonly line: Line;
  readonly own: Pagemap;
  /** Ranges, in order, that must not be left to a parent. */
  readonly never: readonly PageRange[];
};

export type ThinnedMemory = {
  readonly pagemap: Pagemap;
  readonly digest: Digest;
  readonly pagesKept: number;
  /** Left to the parents by the compare, not by CRIU. */
  readonly pagesShared: number;
  readonly bytesRead: number;
};

/**
 * Thins one memory: writes its pages file into the new folder, and gives the pagemap that fits it. Reads both sides once, in
 * large blocks; holds some 20 MiB, whatever the size of the memory. Where the parents have no memory of this name the pages
 * file is moved.
 */
export async function thinPages(memory: Memory, into: string, onBytes: (bytes: number) => void): Promise<ThinnedMemory> {
  const { folders, name, line, own, never } = memory;
  const files = line.maps.map((map, i) => path.join(folders[i] ?? "", pagesName(map.pagesId)));
  const file = path.join(into, pagesName(own.pagesId));
  const held = new HeldPages(path.join(folders[0] ?? "", name));

  if (line.maps.length === 1) return keepPages(memory, into, onBytes);

  const reader = new PagesReader(files);
  const writer = await DigestWriter.create(file);
  try {
    const thinner = new Thinner(new EntryJoiner(name), writer);
    for await (const batch of readPieces(planThin(line, never), reader)) {
      let bytes = 0;
      for (const each of batch) {
        held.note(each.piece);
        await thinner.take(each);
        bytes += each.bytes?.length ?? 0;
      }
      onBytes(bytes);
    }
    await held.check(reader);
    const digest = await writer.end();
    const pagesKept = digest.bytes / PAGE;
    return {
      pagemap: thinner.joiner.build(own.pagesId),
      digest,
      pagesKept,
      pagesShared: thinner.pagesShared,
      bytesRead: reader.bytesRead,
    };
  } finally {
    await Promise.all([writer.close(), reader.close()]);
  }
}

/** Moves one memory as it is, having made sure that the parents list every page it leaves to them. */
export async function keepPages(memory: Memory, into: string, onBytes: (bytes: number) => void): Promise<ThinnedMemory> {
  const { folders, name, line, own, never } = memory;
  const files = line.maps.map((map, i) => path.join(folders[i] ?? "", pagesName(map.pagesId)));
  const held = new HeldPages(path.join(folders[0] ?? "", name));
  for (const piece of planThin(line, never)) held.note(piece);
  const reader = new PagesReader(files);
  try {
    await held.check(reader);
  } finally {
    await reader.close();
  }
  const digest = await moveFile(files[0] ?? "", path.join(into, pagesName(own.pagesId)), onBytes);
  return { pagemap: own, digest, pagesKept: storedPages(own), pagesShared: 0, bytesRead: digest.bytes };
}

/** Decides page by page, and writes what is kept. */
class Thinner {
  pagesShared = 0;
  readonly joiner: EntryJoiner;
  readonly #writer: DigestWriter;

  constructor(joiner: EntryJoiner, writer: DigestWriter) {
    this.joiner = joiner;
    this.#writer = writer;
  }

  async take({ piece, bytes, other }: ReadPiece): Promise<void> {
    const { entry, page, pages, flags } = piece;
    if (bytes === undefined) this.joiner.add(entry, page, pages, flags);
    else if (other === undefined) await this.#keep(piece, 0, pages, bytes);
    else if (bytes.equals(other)) this.#share(piece, 0, pages);
    else {
      for (let from = 0; from < pages;) {
        const { upTo, same } = stretch(bytes, other, from, pages);
        if (same) this.#share(piece, from, upTo);
        else await this.#keep(piece, from, upTo, bytes);
        from = upTo;
      }
    }
  }

  async #keep({ entry, page, flags }: ReadPiece["piece"], from: number, upTo: number, bytes: Buffer): Promise<void> {
    this.joiner.add(entry, page + from, upTo - from, flags);
    await this.#writer.push(bytes.subarray(from * PAGE, upTo * PAGE));
  }

  #share({ entry, page, flags }: ReadPiece["piece"], from: number, upTo: number): void {
    this.joiner.add(entry, page + from, upTo - from, (flags & LAZY) | IN_PARENT);
    this.pagesShared += upTo - from;
  }
}

/** How far from page `from` on the pages are all the same, or all different. */
function stretch(bytes: Buffer, other: Buffer, from: number, pages: number): { readonly upTo: number; readonly same: boolean } {
  const equal = (page: number): boolean => {
    const [begin, end] = [page * PAGE, (page + 1) * PAGE];
    return bytes.compare(other, begin, end, begin, end) === 0;
  };
  const same = equal(from);
  let upTo = from + 1;
  while (upTo < pages && equal(upTo) === same) upTo++;
  return { upTo, same };
}
