import path from "node:path";
import type { Pace } from "../engine/ports.ts";
import { planFold } from "../images/fold-plan.ts";
import { pagesName } from "../images/image-names.ts";
import { malformed } from "../images/malformed.ts";
import { IN_PARENT, type Pagemap, PRESENT, writePagemap } from "../images/pagemap.ts";
import { EntryJoiner } from "../images/page-plan.ts";
import type { Line } from "../images/resolve.ts";
import { readPieces } from "./pages-batch.ts";
import { readLine } from "./pages-folder.ts";
import { difference } from "./pages-damage.ts";
import { HeldPages } from "./pages-holes.ts";
import { PagesReader } from "./pages-read.ts";
import { PagesDamage, RunningSum } from "./pages-sum.ts";
import { type Digest, DigestWriter, writeWhole } from "./pages-write.ts";

/** One memory of a generation that is to stand on the folder at place `parent` of its chain. */
export type FoldedMemory = {
  /** The generation's folder, its parent's, and so on to the base. */
  readonly folders: readonly string[];
  /** The pagemap's. */
  readonly name: string;
  readonly parent: number;
  /** By place in the chain: what the pages files there must turn out to be when they are read. */
  readonly sealed?: ReadonlyMap<number, Digest>;
};

/** What a fold of one memory is about to do; found without reading a page. */
export type FoldSurvey = {
  readonly pagesFile: string;
  /** Pages it will have of its own, and of these the ones it takes over. */
  readonly pagesKept: number;
  readonly pagesTaken: number;
  readonly leansOnParent: boolean;
  /** Places in the chain whose pagemaps, and whose pages, decide what the new one holds; never `parent` nor one below it. */
  readonly asked: readonly number[];
  readonly read: ReadonlyMap<number, string>;
};

/** Faults: `image-malformed` for a page that nobody holds. */
export async function surveyMemory(memory: FoldedMemory): Promise<FoldSurvey> {
  const { line, own, files } = await open(memory);
  const held = new HeldPages(path.join(memory.folders[0] ?? "", memory.name));
  const read = new Map<number, string>();
  let [kept, taken, leans] = [0, 0, false];
  for (const piece of planFold(line, memory.parent)) {
    held.note(piece);
    if (piece.what === "held") leans = true;
    if (piece.what !== "bytes") continue;
    kept += piece.pages;
    if (piece.at.holder > 0) taken += piece.pages;
    read.set(piece.at.holder, path.basename(files[piece.at.holder] ?? ""));
  }
  const asked = line.maps.map((_, place) => place).filter((place) => place < memory.parent);
  return { pagesFile: pagesName(own.pagesId), pagesKept: kept, pagesTaken: taken, leansOnParent: leans, asked, read };
}

/**
 * Writes the memory's pages file and pagemap anew into the folder `into`; the file's number stays. Reads in blocks of 2 MiB, holds some
 * 20 MiB besides the pagemaps, whatever the size of the memory. Neighbours become one entry, so that folds do not splinter a pagemap.
 *
 * A file named in `sealed` is read whole, once; `onBytes` hears of that too. Throws `PagesDamage` at the end if it is not what it should be: what
 * was written then is worth nothing.
 */
export async function foldMemory(
  memory: FoldedMemory,
  into: string,
  onBytes: (bytes: number) => void,
  pace?: Pace,
): Promise<Readonly<Record<string, Digest>>> {
  const { name } = memory;
  const { line, own, files } = await open(memory);
  const pages = pagesName(own.pagesId);
  const held = new HeldPages(path.join(memory.folders[0] ?? "", name));
  const joiner = new EntryJoiner(name);
  const sealed = memory.sealed ?? new Map<number, Digest>();
  const sums = new Map([...sealed.keys()].map((place) => [place, new RunningSum(onBytes, pace)]));
  const reader = new PagesReader(files, pace, sums);
  const writer = await DigestWriter.create(path.join(into, pages), pace);
  try {
    for await (const batch of readPieces(planFold(line, memory.parent), reader)) {
      for (const { piece, bytes } of batch) {
        held.note(piece);
        const flags = bytes === undefined ? piece.flags : (piece.flags & ~IN_PARENT) | PRESENT;
        joiner.add(0, piece.page, piece.pages, flags);
        if (bytes === undefined) continue;
        await writer.push(bytes);
        onBytes(bytes.length);
      }
    }
    await held.check(reader);
    // The oldest first, as damage is told everywhere.
    for (const [place, digest] of [...sealed].toSorted(([a], [b]) => b - a)) {
      const why = difference(digest, await reader.sumOf(place));
      if (why !== null) throw new PagesDamage(place, path.basename(files[place] ?? ""), why);
    }
    const written = await writer.end();
    return { [pages]: written, [name]: await writeWhole(path.join(into, name), writePagemap(joiner.build(own.pagesId))) };
  } finally {
    await Promise.all([writer.close(), reader.close()]);
  }
}

type Opened = { readonly line: Line; readonly own: Pagemap; readonly files: readonly string[] };

async function open({ folders, name }: FoldedMemory): Promise<Opened> {
  const line = await readLine(folders, name);
  const [own] = line.maps;
  if (own === undefined) throw malformed(path.join(folders[0] ?? "", name), "it is missing");
  return { line, own, files: line.maps.map((map, place) => path.join(folders[place] ?? "", pagesName(map.pagesId))) };
}
