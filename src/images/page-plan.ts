import type { PageRange } from "./mm.ts";
import { entriesOf, IN_PARENT, type Pagemap, PagemapBuilder, type PageEntry, PRESENT } from "./pagemap.ts";
import { type Extent, type Hole, type Line, Lookup } from "./resolve.ts";

/**
 * One piece of a generation's own pagemap, in order of address. It never reaches over the border of an entry; `entry` and `flags`
 * are those of the entry it lies in.
 */
export type Piece = PageRange & { readonly entry: number; readonly flags: number } &
  /**
   * Bytes to be read; `other`: what the parents hold in their place, to compare with. `blank`: a restore makes zeros of pages here that are
   * not listed, so those full of zeros may be left out.
   */
  (
    | { readonly what: "bytes"; readonly at: Extent; readonly other: Extent | null; readonly blank: boolean }
    /** Left to a parent, or found nowhere. */
    | { readonly what: "held"; readonly by: Extent | Hole }
    /** Neither here nor in a parent: it has no bytes at all. */
    | { readonly what: "nothing" }
  );

/** Ranges, in order, that must not be left to a parent; and those of which pages full of zeros need not be listed. */
export type Areas = { readonly never: readonly PageRange[]; readonly blank: readonly PageRange[] };

/**
 * What there is to do to make an increment of a dump: which pages of its own to compare with which of the parents', and
 * which are the parents' already (`held`). `line.maps[0]` is the dump's own.
 */
export function* planThin(line: Line, { never, blank }: Areas): Generator<Piece, void> {
  const lookup = new Lookup(line);
  let stored = 0;
  for (const { entry, page, pages, flags } of numbered(line)) {
    if ((flags & IN_PARENT) !== 0) {
      for (const by of lookup.find(page, pages, 1)) yield { entry, flags, page: by.page, pages: by.pages, what: "held", by };
    } else if ((flags & PRESENT) === 0) {
      yield { entry, flags, page, pages, what: "nothing" };
    } else {
      for (const part of splitBy(page, pages, never, blank)) {
        for (const held of part.isNever ? [{ ...part, type: "hole" as const }] : lookup.find(part.page, part.pages, 1)) {
          const at: Extent = { type: "extent", page: held.page, pages: held.pages, holder: 0, offset: stored + held.page - page };
          yield {
            entry,
            flags,
            page: held.page,
            pages: held.pages,
            what: "bytes",
            at,
            other: held.type === "extent" ? held : null,
            blank: part.isBlank,
          };
        }
      }
      stored += pages;
    }
  }
}

/** What there is to copy to make a generation stand alone: every entry of its own, resolved. */
export function* planFlatten(line: Line): Generator<Piece, void> {
  const lookup = new Lookup(line);
  for (const { entry, page, pages, flags } of numbered(line)) {
    if ((flags & (IN_PARENT | PRESENT)) === 0) yield { entry, flags, page, pages, what: "nothing" };
    else {
      for (const by of lookup.find(page, pages, 0)) {
        const range = { entry, flags, page: by.page, pages: by.pages };
        yield by.type === "extent"
          ? { ...range, what: "bytes", at: by, other: null, blank: false }
          : { ...range, what: "held", by };
      }
    }
  }
}

/** The part of a piece that begins `skip` pages into it (what it says of others, `by`, stays whole). */
export function partOf(piece: Piece, skip: number, pages: number): Piece {
  const range = { page: piece.page + skip, pages };
  if (piece.what !== "bytes") return { ...piece, ...range };
  return { ...piece, ...range, at: shift(piece.at, skip, pages), other: piece.other && shift(piece.other, skip, pages) };
}

/** Collects the new pagemap: neighbours that came from one entry and have the same flags become one entry again. */
export class EntryJoiner {
  readonly #builder: PagemapBuilder;
  #last: { entry: number; page: number; pages: number; flags: number } | null = null;

  constructor(file: string) {
    this.#builder = new PagemapBuilder(file);
  }

  add(entry: number, page: number, pages: number, flags: number): void {
    const last = this.#last;
    if (last !== null && last.entry === entry && last.flags === flags && last.page + last.pages === page) last.pages += pages;
    else {
      if (last !== null) this.#builder.add(last);
      this.#last = { entry, page, pages, flags };
    }
  }

  /** Once only. */
  build(pagesId: number): Pagemap {
    if (this.#last !== null) this.#builder.add(this.#last);
    return this.#builder.build(pagesId);
  }
}

function* numbered(line: Line): Generator<PageEntry & { readonly entry: number }, void> {
  let entry = 0;
  if (line.maps[0] !== undefined) for (const each of entriesOf(line.maps[0])) yield { ...each, entry: entry++ };
}

function shift(extent: Extent, skip: number, pages: number): Extent {
  return { ...extent, page: extent.page + skip, pages, offset: extent.offset + skip };
}

/** Cuts a range where the `never` and the `blank` ranges begin and end. */
function* splitBy(
  page: number,
  pages: number,
  never: readonly PageRange[],
  blank: readonly PageRange[],
): Generator<PageRange & { readonly isNever: boolean; readonly isBlank: boolean }, void> {
  for (const part of split(page, pages, never)) {
    for (const { page: at, pages: count, within } of split(part.page, part.pages, blank)) {
      yield { page: at, pages: count, isNever: part.within, isBlank: within };
    }
  }
}

/** Cuts a range where the ranges, which are in order and apart, begin and end. */
function* split(
  page: number,
  pages: number,
  ranges: readonly PageRange[],
): Generator<PageRange & { readonly within: boolean }, void> {
  const last = page + pages;
  for (let i = firstAfter(ranges, page); i < ranges.length; i++) {
    const each = ranges[i];
    if (each === undefined || each.page >= last) break;
    if (each.page > page) yield { page, pages: each.page - page, within: false };
    const begin = Math.max(page, each.page);
    const end = Math.min(last, each.page + each.pages);
    yield { page: begin, pages: end - begin, within: true };
    page = end;
  }
  if (page < last) yield { page, pages: last - page, within: false };
}

/** The first of the ranges that ends after this page. */
function firstAfter(ranges: readonly PageRange[], page: number): number {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const range = ranges[middle];
    if (range !== undefined && range.page + range.pages <= page) low = middle + 1;
    else high = middle;
  }
  return low;
}
