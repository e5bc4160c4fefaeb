import fc from "fast-check";
import { expect, test } from "vitest";
import { entriesOf, IN_PARENT, pagemapOf, PRESENT } from "../../../src/images/pagemap.ts";
import { type Extent, type Hole, type Line, Lookup } from "../../../src/images/resolve.ts";
import { anyFlags, aPagemap, origin, pagesOf } from "./specimens.ts";

test("every page of every entry is found where a simple search finds it, in order and without overlap", () => {
  fc.assert(
    fc.property(fc.array(aPagemap(anyFlags), { minLength: 1, maxLength: 4 }), (maps) => {
      const lookup = new Lookup({ maps, end: "no-parent" });
      for (const { page, pages } of entriesOf(maps[0] ?? pagemapOf(1, []))) {
        const found = [...lookup.find(page, pages, 0)];
        expect(pagesOf(found)).toEqual(pagesOf([{ page, pages }]));
        for (const each of found) {
          for (let i = 0; i < each.pages; i++) {
            const expected = origin(maps, each.page + i);
            if (each.type === "hole") expect(expected).toBeNull();
            else expect(expected).toEqual({ holder: each.holder, offset: each.offset + i });
          }
        }
      }
    }),
    { numRuns: 500 },
  );
});

test("an extent splits where the parents' entries split", () => {
  const found = find({
    end: "no-parent",
    maps: [
      pagemapOf(1, [{ page: 10, pages: 6, flags: IN_PARENT }]),
      pagemapOf(1, [
        { page: 9, pages: 3, flags: PRESENT },
        { page: 12, pages: 2, flags: IN_PARENT },
        { page: 14, pages: 9, flags: PRESENT },
      ]),
      pagemapOf(1, [{ page: 11, pages: 3, flags: PRESENT }]),
    ],
  });
  expect(found).toEqual([
    { type: "extent", page: 10, pages: 2, holder: 1, offset: 1 },
    { type: "extent", page: 12, pages: 2, holder: 2, offset: 1 },
    { type: "extent", page: 14, pages: 2, holder: 1, offset: 3 },
  ]);
});

test("a hole tells which generation lacks the pages, and how", () => {
  const child = pagemapOf(1, [{ page: 10, pages: 6, flags: IN_PARENT }]);
  expect(find({ maps: [child], end: "no-parent" })).toEqual([{ type: "hole", page: 10, pages: 6, holder: 1, reason: "no-parent" }]);
  expect(find({ maps: [child], end: "no-pagemap" })).toMatchObject([{ reason: "no-pagemap", holder: 1 }]);
  const partly = pagemapOf(1, [
    { page: 11, pages: 1, flags: PRESENT },
    { page: 13, pages: 1, flags: 0 },
  ]);
  expect(find({ maps: [child, partly], end: "no-parent" })).toEqual([
    { type: "hole", page: 10, pages: 1, holder: 1, reason: "not-listed" },
    { type: "extent", page: 11, pages: 1, holder: 1, offset: 0 },
    { type: "hole", page: 12, pages: 1, holder: 1, reason: "not-listed" },
    { type: "hole", page: 13, pages: 1, holder: 1, reason: "no-bytes" },
    { type: "hole", page: 14, pages: 2, holder: 1, reason: "not-listed" },
  ]);
});

function find(line: Line): (Extent | Hole)[] {
  return [...new Lookup(line).find(10, 6, 0)];
}
