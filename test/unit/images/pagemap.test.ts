import fc from "fast-check";
import { expect, test } from "vitest";
import { Fault } from "../../../src/faults/fault.ts";
import {
  entriesOf,
  IN_PARENT,
  LAZY,
  type PageEntry,
  pagemapOf,
  PRESENT,
  readPagemap,
  storedPages,
  writePagemap,
} from "../../../src/images/pagemap.ts";
import { message, pagemapImage } from "./encode.ts";

const head = message([1, 1]);
const read = (...records: Uint8Array[]): PageEntry[] => [
  ...entriesOf(readPagemap(pagemapImage(head, ...records), "pagemap-1.img")),
];

/** Entries in order, up to the last page of a u64. */
const entries: fc.Arbitrary<readonly PageEntry[]> = fc
  .array(
    fc.record({
      gap: fc.oneof(fc.nat(3), fc.nat(2 ** 31)),
      pages: fc.oneof(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 2 ** 31, max: 2 ** 33 })),
      flags: fc.constantFrom(0, IN_PARENT, PRESENT, PRESENT | LAZY, IN_PARENT | LAZY, LAZY),
    }),
    { maxLength: 200 },
  )
  .map((steps) => {
    let page = 0;
    return steps.map(({ gap, pages, flags }) => {
      page += gap + pages;
      return { page: page - pages, pages, flags };
    });
  });

test("what is written is read again, the same", () => {
  fc.assert(
    fc.property(entries, fc.nat(2 ** 31), (list, id) => {
      const pagemap = readPagemap(writePagemap(pagemapOf(id, list)), "x");
      expect(pagemap.pagesId).toBe(id);
      expect([...entriesOf(pagemap)]).toEqual(list);
      expect(storedPages(pagemap)).toBe(list.reduce((sum, { pages, flags }) => sum + (flags & PRESENT ? pages : 0), 0));
    }),
  );
});

test("both numbers of pages and the flags are written, the old in_parent is not", () => {
  const bytes = writePagemap(pagemapOf(3, [{ page: 5, pages: 2, flags: IN_PARENT }]));
  expect(Buffer.from(bytes)).toEqual(pagemapImage(message([1, 3]), message([1, 5 * 4096], [2, 2], [4, 1], [5, 2])));
});

test("a number of pages that the old field cannot hold leaves a 0 there, which must not be missing", () => {
  const bytes = writePagemap(pagemapOf(3, [{ page: 0, pages: 2 ** 32, flags: PRESENT }]));
  expect(Buffer.from(bytes)).toEqual(pagemapImage(message([1, 3]), message([1, 0], [2, 0], [4, 4], [5, 2 ** 32])));
});

test("the last page of the address space has its place", () => {
  const last = { page: 2 ** 52 - 1, pages: 1, flags: PRESENT };
  expect([...entriesOf(readPagemap(writePagemap(pagemapOf(1, [last])), "x"))]).toEqual([last]);
  expect(read(message([1, 2n ** 64n - 4096n], [2, 0], [4, 4], [5, 1]))).toEqual([last]);
});

test("entries of older CRIUs are read as CRIU reads them", () => {
  expect(read(message([1, 4096], [2, 3]))).toEqual([{ page: 1, pages: 3, flags: PRESENT }]);
  expect(read(message([1, 4096], [2, 3], [3, 1]))).toEqual([{ page: 1, pages: 3, flags: IN_PARENT }]);
  expect(read(message([1, 4096], [2, 3], [3, 0]))).toEqual([{ page: 1, pages: 3, flags: PRESENT }]);
  expect(read(message([1, 4096], [2, 3], [4, 6]))).toEqual([{ page: 1, pages: 3, flags: PRESENT | LAZY }]);
  expect(read(message([1, 4096], [2, 0], [4, 0], [5, 9]))).toEqual([{ page: 1, pages: 9, flags: 0 }]);
});

test.each([
  ["an unknown field (compressed pages)", [message([1, 4096], [2, 1], [4, 4], [5, 1], [6, 100])]],
  ["an unknown flag", [message([1, 4096], [2, 1], [4, 12], [5, 1])]],
  ["an entry both here and in the parent", [message([1, 4096], [2, 1], [4, 5], [5, 1])]],
  ["an empty entry", [message([1, 4096], [2, 0], [4, 4], [5, 0])]],
  ["an address in the middle of a page", [message([1, 4097], [2, 1], [4, 4])]],
  ["entries out of order", [message([1, 8192], [2, 1]), message([1, 4096], [2, 1])]],
  ["entries that overlap", [message([1, 4096], [2, 2]), message([1, 8192], [2, 1])]],
  ["an entry beyond the address space", [message([1, 2n ** 64n - 4096n], [2, 2])]],
  ["an entry without an address", [message([2, 1])]],
  ["an entry without the old number of pages", [message([1, 4096], [5, 1])]],
])("%s is refused", (_what, records) => {
  expect(() => read(...records)).toThrow(expect.objectContaining({ code: "image-malformed" }));
});

test("a head with an unknown field, no head, and no content are refused", () => {
  for (const bytes of [pagemapImage(message([1, 1], [2, 1])), pagemapImage(message()), pagemapImage(), Buffer.alloc(0)]) {
    expect(() => readPagemap(bytes, "x")).toThrow(expect.objectContaining({ code: "image-malformed" }));
  }
});

test("any bytes after the magics end in a value or a fault", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      try {
        readPagemap(Buffer.concat([pagemapImage(head), bytes]), "x");
      } catch (error) {
        expect(error).toBeInstanceOf(Fault);
      }
    }),
    { numRuns: 1000 },
  );
});

test("a pagemap cut anywhere is refused, or ends at a whole entry", () => {
  const whole = writePagemap(
    pagemapOf(
      1,
      [1, 3, 5].map((page) => ({ page, pages: 1, flags: PRESENT })),
    ),
  );
  const cuts = Array.from({ length: whole.length }, (_, length) => {
    try {
      return readPagemap(whole.subarray(0, length), "x").length;
    } catch (error) {
      expect(error).toBeInstanceOf(Fault);
      return null;
    }
  });
  expect(cuts.filter((each) => each !== null)).toEqual([0, 1, 2]);
});
