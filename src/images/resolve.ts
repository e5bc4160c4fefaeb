import { IN_PARENT, type Pagemap, PRESENT } from "./pagemap.ts";

/** Pages with one origin: the pages file of generation `holder` (0: the generation itself, 1: its parent ...), bytes from `offset`. */
export type Extent = {
  readonly type: "extent";
  readonly page: number;
  readonly pages: number;
  readonly holder: number;
  /** In pages, from the begin of the holder's pages file. */
  readonly offset: number;
};

/**
 * Pages that no generation holds, and why: generation `holder` should have them, but has no pagemap of that name
 * (`no-pagemap`), does not list them (`not-listed`), lists them without bytes (`no-bytes`), or there is no such generation
 * (`no-parent`).
 */
export type Hole = {
  readonly type: "hole";
  readonly page: number;
  readonly pages: number;
  readonly holder: number;
  readonly reason: "no-pagemap" | "not-listed" | "no-bytes" | "no-parent";
};

/**
 * The pagemaps of one name through a chain, nearest first, up to the first generation that has none; `end` says which of the two
 * stopped it there.
 */
export type Line = { readonly maps: readonly Pagemap[]; readonly end: "no-pagemap" | "no-parent" };

/**
 * "Who holds this page?", asked in ascending order (CRIU: pagemap.c:read_parent_page, seek_pagemap). Answers split where the
 * entries of the generations split. Each generation is walked once, forward, so that a whole resolution costs as much as there are entries.
 */
export class Lookup {
  readonly #line: Line;
  readonly #at: { entry: number; stored: number }[];

  constructor(line: Line) {
    this.#line = line;
    this.#at = line.maps.map(() => ({ entry: 0, stored: 0 }));
  }

  /** Who holds these pages, for a reader who stands in generation `holder`? Later calls may only ask for later pages. */
  *find(page: number, pages: number, holder: number): Generator<Extent | Hole, void> {
    const map = this.#line.maps[holder];
    const at = this.#at[holder];
    if (map === undefined || at === undefined) {
      yield { type: "hole", page, pages, holder, reason: this.#line.end };
      return;
    }
    const last = page + pages;
    while (page < last) {
      const { begin, end, flags } = advance(map, at, page);
      const upTo = Math.min(last, begin > page ? begin : end);
      if (begin > page) yield { type: "hole", page, pages: upTo - page, holder, reason: "not-listed" };
      else if ((flags & IN_PARENT) !== 0) yield* this.find(page, upTo - page, holder + 1);
      else if ((flags & PRESENT) === 0) yield { type: "hole", page, pages: upTo - page, holder, reason: "no-bytes" };
      else yield { type: "extent", page, pages: upTo - page, holder, offset: at.stored + page - begin };
      page = upTo;
    }
  }
}

/** Moves to the entry that holds `page`, or else to the next one after it. */
function advance(map: Pagemap, at: { entry: number; stored: number }, page: number): { begin: number; end: number; flags: number } {
  for (; at.entry < map.length; at.entry++) {
    const begin = map.page[at.entry] ?? 0;
    const pages = map.pages[at.entry] ?? 0;
    const flags = map.flags[at.entry] ?? 0;
    if (begin + pages > page) return { begin, end: begin + pages, flags };
    if ((flags & PRESENT) !== 0) at.stored += pages;
  }
  return { begin: Infinity, end: Infinity, flags: 0 };
}
