import fc from "fast-check";
import { expect, test } from "vitest";
import { inOrder as joined } from "../../../src/images/mm.ts";
import { entriesOf, IN_PARENT, LAZY, pagemapOf, PRESENT } from "../../../src/images/pagemap.ts";
import { EntryJoiner, partOf, type Piece, planFlatten, planThin } from "../../../src/images/page-plan.ts";
import { strayPage } from "../../../src/images/stray-pages.ts";
import { anyFlags, aPagemap, BASE, origin, pagesOf } from "./specimens.ts";

const chains = fc.array(aPagemap(anyFlags), { minLength: 1, maxLength: 4 });
const ranges = fc
  .array(fc.record({ page: fc.integer({ min: BASE, max: BASE + 40 }), pages: fc.integer({ min: 1, max: 9 }) }), { maxLength: 4 })
  .map(joined);

test("a plan has every page of the generation once, in order, each within one entry and with its flags", () => {
  fc.assert(
    fc.property(chains, ranges, (maps, never) => {
      const own = [...entriesOf(maps[0] ?? pagemapOf(1, []))];
      const line = { maps, end: "no-parent" } as const;
      for (const plan of [planThin(line, { never, blank: [] }), planThin(line, { never: [], blank: never }), planFlatten(line)]) {
        const pieces = [...plan];
        expect(pagesOf(pieces)).toEqual(pagesOf(own));
        for (const { entry, flags, page, pages } of pieces) {
          const of = own[entry];
          expect(flags).toBe(of?.flags);
          expect(page >= (of?.page ?? 0) && page + pages <= (of?.page ?? 0) + (of?.pages ?? 0)).toBe(true);
        }
      }
    }),
  );
});

test("a thin plan compares own pages with what the parents hold, unless they must never be left to a parent", () => {
  fc.assert(
    fc.property(chains, ranges, ranges, (maps, never, blank) => {
      const kept = new Set(pagesOf(never));
      const blanks = new Set(pagesOf(blank));
      for (const piece of planThin({ maps, end: "no-parent" }, { never, blank })) {
        for (let i = 0; i < piece.pages; i++) {
          const part = partOf(piece, i, 1);
          const here = origin(maps, part.page);
          if (part.what === "bytes") {
            expect(here).toEqual({ holder: 0, offset: part.at.offset });
            expect(part.blank).toBe(blanks.has(part.page));
            const there = kept.has(part.page) ? null : origin(maps, part.page, 1);
            expect(part.other && { holder: part.other.holder, offset: part.other.offset }).toEqual(there);
          } else if (part.what === "held") expect(part.by.type === "hole").toBe(here === null);
          else expect(here).toBeNull();
        }
      }
    }),
    { numRuns: 300 },
  );
});

test("a flat plan reads each page where it is", () => {
  fc.assert(
    fc.property(chains, (maps) => {
      for (const piece of planFlatten({ maps, end: "no-parent" })) {
        for (let i = 0; i < piece.pages; i++) {
          const part = partOf(piece, i, 1);
          const found = part.what === "bytes" ? { holder: part.at.holder, offset: part.at.offset } : null;
          expect(found).toEqual(origin(maps, part.page));
        }
      }
    }),
  );
});

test("a plan of a memory that is not there is empty", () => {
  const none: Piece[] = [];
  expect([...planThin({ maps: [], end: "no-pagemap" }, { never: [], blank: [] })]).toEqual(none);
  expect([...planFlatten({ maps: [], end: "no-pagemap" })]).toEqual(none);
});

test("pieces of one entry with the same flags become one entry again, those of two entries do not", () => {
  const joiner = new EntryJoiner("x");
  joiner.add(0, 1, 2, PRESENT);
  joiner.add(0, 3, 2, PRESENT);
  joiner.add(0, 5, 1, IN_PARENT);
  joiner.add(0, 6, 1, IN_PARENT | LAZY);
  joiner.add(1, 7, 1, IN_PARENT | LAZY);
  expect([...entriesOf(joiner.build(1))]).toEqual([
    { page: 1, pages: 4, flags: PRESENT },
    { page: 5, pages: 1, flags: IN_PARENT },
    { page: 6, pages: 1, flags: IN_PARENT | LAZY },
    { page: 7, pages: 1, flags: IN_PARENT | LAZY },
  ]);
});

test("the first page outside of all areas is found, wherever it is", () => {
  fc.assert(
    fc.property(aPagemap(anyFlags), ranges, (pagemap, areas) => {
      const inside = new Set(pagesOf(areas));
      expect(strayPage(pagemap, areas)).toBe(pagesOf(entriesOf(pagemap)).find((page) => !inside.has(page)) ?? null);
    }),
    { numRuns: 500 },
  );
});
