import path from "node:path";
import { pagesName } from "../images/image-names.ts";
import { IN_PARENT, LAZY, PAGE, type Pagemap, storedPages } from "../images/pagemap.ts";
import { type Areas, EntryJoiner, planThin } from "../images/page-plan.ts";
import type { Line } from "../images/resolve.ts";
import { type ReadPiece, readPieces } from "./pages-batch.ts";
import { isBlank, isWorthLeavingOut } from "./pages-blank.ts";
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
  readonly areas: Areas;
};

export type ThinnedMemory = {
  readonly pagemap: Pagemap;
  readonly digest: Digest;
  readonly pagesKept: number;
  /** Left to the parents by the compare, not by CRIU. */
  readonly pagesShared: number;
  /** Full of zeros, and left out. */
  readonly pagesBlank: number;
  /** Of pages files. */
  readonly bytesRead: number;
  readonly bytesWritten: number;
};

/**
 * Thins one memory: writes its pages file into the new folder, and gives the pagemap that fits it. Reads its own pages once, of the parents'
 * those with a counterpart, in large blocks; holds some 20 MiB, whatever the size of the memory. Where the parents have no memory of this name
 * the pages file is moved, unless (by a sample) many of its pages are zeros that may be left out.
 */
export async function thinPages(memory: Memory, into: string, onBytes: (bytes: number) => void): Promise<ThinnedMemory> {
  const { folders, name, line, own, areas } = memory;
  const files = filesOf(memory);
  const file = path.join(into, pagesName(own.pagesId));
  const held = new HeldPages(path.join(folders[0] ?? "", name));

  const reader = new PagesReader(files);
  if (line.maps.length === 1 && !(await isWorthLeavingOut(planThin(line, areas), reader).catch(closing(reader)))) {
    await reader.close();
    const kept = await keepPages(memory, into, onBytes);
    return { ...kept, bytesRead: kept.bytesRead + reader.bytesRead };
  }
  const writer = await DigestWriter.create(file).catch(closing(reader));
  try {
    const thinner = new Thinner(new EntryJoiner(name), writer);
    for await (const batch of readPieces(planThin(line, areas), reader)) {
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
      pagesBlank: thinner.pagesBlank,
      bytesRead: reader.bytesRead,
      bytesWritten: digest.bytes,
    };
  } finally {
    await Promise.all([writer.close(), reader.close()]);
  }
}

/** Moves one memory as it is, having made sure that the parents list every page it leaves to them. */
export async function keepPages(memory: Memory, into: string, onBytes: (bytes: number) => void): Promise<ThinnedMemory> {
  const { folders, name, line, own, areas } = memory;
  const files = filesOf(memory);
  const held = new HeldPages(path.join(folders[0] ?? "", name));
  for (const piece of planThin(line, areas)) held.note(piece);
  const reader = new PagesReader(files);
  try {
    await held.check(reader);
  } finally {
    await reader.close();
  }
  const { digest, bytesWritten } = await moveFile(files[0] ?? "", path.join(into, pagesName(own.pagesId)), onBytes);
  const counts = { pagesKept: storedPages(own), pagesShared: 0, pagesBlank: 0, bytesRead: digest.bytes, bytesWritten };
  return { pagemap: own, digest, ...counts };
}

function filesOf({ folders, line }: Memory): readonly string[] {
  return line.maps.map((map, i) => path.join(folders[i] ?? "", pagesName(map.pagesId)));
}

function closing(reader: PagesReader): (error: unknown) => Promise<never> {
  return async (error) => {
    await reader.close();
    throw error;
  };
}

/** Decides page by page, and writes what is kept. */
class Thinner {
  pagesShared = 0;
  pagesBlank = 0;
  readonly joiner: EntryJoiner;
  readonly #writer: DigestWriter;

  constructor(joiner: EntryJoiner, writer: DigestWriter) {
    this.joiner = joiner;
    this.#writer = writer;
  }

  async take({ piece, bytes, other }: ReadPiece): Promise<void> {
    const { entry, page, pages, flags } = piece;
    const blank = piece.what === "bytes" && piece.blank;
    if (bytes === undefined) this.joiner.add(entry, page, pages, flags);
    else if (other === undefined && !blank) await this.#keep(piece, 0, pages, bytes);
    else if (other !== undefined && bytes.equals(other)) this.#share(piece, 0, pages);
    else {
      for (let from = 0; from < pages;) {
        const fate = fateOf(bytes, other, from, blank);
        let upTo = from + 1;
        while (upTo < pages && fateOf(bytes, other, upTo, blank) === fate) upTo++;
        if (fate === "share") this.#share(piece, from, upTo);
        else if (fate === "keep") await this.#keep(piece, from, upTo, bytes);
        else this.pagesBlank += upTo - from;
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

/** What becomes of a page. One that the parent holds is left to it, zeros or not: that splits no entry. */
function fateOf(bytes: Buffer, other: Buffer | undefined, page: number, blank: boolean): "share" | "leave out" | "keep" {
  const [begin, end] = [page * PAGE, (page + 1) * PAGE];
  if (other !== undefined && bytes.compare(other, begin, end, begin, end) === 0) return "share";
  return blank && isBlank(bytes, begin) ? "leave out" : "keep";
}
