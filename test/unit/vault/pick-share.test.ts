import fc from "fast-check";
import { expect, test } from "vitest";
import { isBulk, pickShare } from "../../../src/vault/pick-share.ts";

const files = fc.uniqueArray(
  fc.record({
    number: fc.integer({ min: 1, max: 9 }),
    file: fc.constantFrom("pages-1.img", "files/0", "files/1"),
    bytes: fc.nat(5000),
  }),
  { selector: ({ number, file }) => `${number}/${file}`, maxLength: 20 },
);
const sumOf = (some: Iterable<{ readonly bytes: number }>): number => [...some].reduce((sum, { bytes }) => sum + bytes, 0);

test("the picked files make up at least the share and less than one file more; which they are does not hang on the order", () => {
  fc.assert(
    fc.property(files, fc.integer({ min: 0, max: 100 }), fc.string(), (all, percent, seed) => {
      const picked = pickShare(all, percent / 100, seed);
      const wanted = (sumOf(all) * percent) / 100;
      expect(sumOf(picked)).toBeGreaterThanOrEqual(wanted - 1e-6);
      expect(sumOf(picked) - wanted).toBeLessThanOrEqual(Math.max(0, ...all.map(({ bytes }) => bytes)));
      expect(pickShare(all.toReversed(), percent / 100, seed)).toEqual(picked);
    }),
  );
});

test("all bytes is every file, and none is no file but the empty ones", () => {
  fc.assert(
    fc.property(files, fc.string(), (all, seed) => {
      expect(pickShare(all, 1, seed).size).toBe(all.length);
      expect(sumOf(pickShare(all, 0, seed))).toBe(0);
    }),
  );
});

test("another seed picks other files, and over many of them each has its turn", () => {
  const all = Array.from({ length: 40 }, (_, at) => ({ number: at + 1, file: "pages-1.img", bytes: 100 }));
  const turns = new Map<number, number>();
  for (let seed = 0; seed < 400; seed++)
    for (const { number } of pickShare(all, 0.1, `seed ${seed}`)) turns.set(number, (turns.get(number) ?? 0) + 1);
  expect(turns.size).toBe(40);
  // 40 expected of each: far from all or none.
  for (const count of turns.values()) expect(Math.abs(count - 40)).toBeLessThan(30);
});

test("pages and captured files are bulk, images and lists of pages are not", () => {
  expect(["pages-1.img", "pages-65537.img", "files/0"].map(isBulk)).toEqual([true, true, true]);
  expect(["pagemap-300.img", "core-1.img", "mm-2.img", "dump.log", "pages-1.img.bak"].some(isBulk)).toBe(false);
});
