import fc from "fast-check";
import { IN_PARENT, LAZY, type PageEntry, type Pagemap, PAGE, pagemapOf, PRESENT } from "../../../src/images/pagemap.ts";

/** What one page of a memory says of itself. */
export type Origin = { readonly holder: number; readonly offset: number };

/** "Who holds this page?", asked the slow and simple way: `null` if nobody does. */
export function origin(chain: readonly Pagemap[], page: number, holder = 0): Origin | null {
  const map = chain[holder];
  let offset = 0;
  for (let i = 0; i < (map?.length ?? 0); i++) {
    const [begin, pages, flags] = [map?.page[i] ?? 0, map?.pages[i] ?? 0, map?.flags[i] ?? 0];
    if (page >= begin && page < begin + pages) {
      if (flags & IN_PARENT) return origin(chain, page, holder + 1);
      return flags & PRESENT ? { holder, offset: offset + page - begin } : null;
    }
    if (flags & PRESENT) offset += pages;
  }
  return null;
}

/** Every page of these ranges, one by one. */
export function pagesOf(ranges: Iterable<{ readonly page: number; readonly pages: number }>): number[] {
  return [...ranges].flatMap(({ page, pages }) => Array.from({ length: pages }, (_, i) => page + i));
}

/** Where the memory of a generated case begins: high up, where addresses need more than 32 bits. */
export const BASE = 0x7_ffff_ff00;

/** A small memory of a few dozen pages, so that generations overlap often. */
export function aPagemap(flags: fc.Arbitrary<number>): fc.Arbitrary<Pagemap> {
  return fc
    .array(fc.record({ gap: fc.nat(2), pages: fc.integer({ min: 1, max: 5 }), flags }), { maxLength: 8 })
    .map((steps) => pagemapOf(1, inOrder(steps)));
}

export const anyFlags = fc.constantFrom(PRESENT, PRESENT, PRESENT | LAZY, IN_PARENT, IN_PARENT, IN_PARENT | LAZY, LAZY);

export function inOrder(steps: readonly { readonly gap: number; readonly pages: number; readonly flags: number }[]): PageEntry[] {
  let page = BASE;
  return steps.map(({ gap, pages, flags }) => {
    page += gap + pages;
    return { page: page - pages, pages, flags };
  });
}

/** A page full of one letter, but for its last byte, which is of another. */
export function aPage(letter: string, last: string): Buffer {
  const page = Buffer.alloc(PAGE, letter);
  page.write(last, PAGE - 1);
  return page;
}
