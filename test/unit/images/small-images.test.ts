import fc from "fast-check";
import { expect, test } from "vitest";
import { Fault } from "../../../src/faults/fault.ts";
import { readInventory } from "../../../src/images/inventory.ts";
import { inOrder, isBlankWhenAbsent, isPrivate, neverInParent, readVmas } from "../../../src/images/mm.ts";
import { highestPid, readPstree } from "../../../src/images/pstree.ts";
import { readStatsDump } from "../../../src/images/stats-dump.ts";
import { image, inventoryImage, message, mmImage, pstreeImage } from "./encode.ts";

/** Written by CRIU 4.2.1 for one small process. */
const real = {
  stats: "4059105506330957270000000a2508930210e9c30318cba80220d3fe0128802e300038bc2d4000480050085808600068007000",
  inventory:
    "163131584e000000080210011a18080110011801200128013002380340044806500758086005200128013000580062006a2431643036393535632d376166372d343763392d623730612d333138643061623534383333",
  pstree: "19435654303027500e00000008ac02100018ac0220ac0228ac02",
};
const bytesOf = (hex: string): Buffer => Buffer.from(hex, "hex");
const readers = [readStatsDump, readInventory, readPstree, readVmas];

test("CRIU's stats-dump is read, all fields", () => {
  expect(readStatsDump(bytesOf(real.stats), "x")).toEqual({
    freezingTime: 275,
    frozenTime: 57833,
    memdumpTime: 37963,
    memwriteTime: 32595,
    pagesScanned: 5888,
    pagesSkippedParent: 0,
    pagesWritten: 5820,
    irmapResolve: 0,
    pagesLazy: 0,
    pagePipes: 8,
    pagePipeBufs: 8,
    shpagesScanned: 0,
    shpagesSkippedParent: 0,
    shpagesWritten: 0,
  });
});

test("a stats-dump of a newer CRIU is read for what is known, one without a required count is refused", () => {
  const counts = [1, 2, 3, 4, 5, 6, 7].map((field) => [field, field * 10] as const);
  const file = (...fields: (readonly [number, number])[]): Buffer =>
    image([0x55105940, 0x57093306], message([1, message(...fields)]));
  expect(readStatsDump(file(...counts, [14, 140], [15, 1], [17, 1]), "x")).toMatchObject({ frozenTime: 20, shpagesWritten: 140 });
  expect(() => readStatsDump(file(...counts.slice(1)), "x")).toThrow("freezingTime is missing");
});

test("CRIU's inventory is read; without --track-mem it has no uptime", () => {
  expect(readInventory(bytesOf(real.inventory), "x")).toEqual({ imgVersion: 2, dumpUptime: null });
  expect(readInventory(inventoryImage(message([1, 2], [2, 1], [8, 123456789012])), "x")).toEqual({
    imgVersion: 2,
    dumpUptime: 123456789012,
  });
});

test("the empty inventory that a full disk leaves is refused", () => {
  expect(() => readInventory(Buffer.alloc(0), "inventory.img")).toThrow(
    "inventory.img is not a CRIU image this program can read: it is empty",
  );
});

test("CRIU's process tree is read; the highest id may be a thread's, a group's or a session's", () => {
  const [only] = readPstree(bytesOf(real.pstree), "x");
  expect(only).toEqual({ pid: 300, ppid: 0, pgid: 300, sid: 300, threads: [300] });
  const tree = (thread: number, pgid: number, sid: number): number =>
    highestPid(
      readPstree(
        pstreeImage(
          message([1, 5], [2, 0], [3, pgid], [4, sid], [5, 5], [5, thread]),
          message([1, 6], [2, 5], [3, 5], [4, 5], [5, 6]),
        ),
        "x",
      ),
    );
  expect([tree(90, 5, 5), tree(6, 91, 5), tree(6, 5, 92), tree(5, 5, 5)]).toEqual([90, 91, 92, 6]);
});

test("a zombie has no thread but itself, whatever CRIU wrote there", () => {
  const tree = pstreeImage(
    message([1, 300], [2, 0], [3, 300], [4, 300], [5, 300]),
    message([1, 598], [2, 300], [3, 300], [4, 300], [5, 2272400672]),
  );
  expect(readPstree(tree, "x").map(({ threads }) => threads)).toEqual([[300], [598]]);
  expect(highestPid(readPstree(tree, "x"))).toBe(598);
});

test("a tree without a process, and a process without an id, are refused", () => {
  expect(() => readPstree(pstreeImage(), "x")).toThrow(Fault);
  expect(() => readPstree(pstreeImage(message([1, 5], [2, 0], [3, 5])), "x")).toThrow(Fault);
});

test("memory areas are told apart as CRIU does: private ones, and those never left to a parent", () => {
  const vmas = readVmas(
    mmImage(
      { page: 16, pages: 2 },
      { page: 20, pages: 1, status: 0x41, flags: 2 },
      { page: 30, pages: 1, status: 0x101, flags: 0x21 },
      { page: 40, pages: 1, status: 0x2000, flags: 1 },
      { page: 512, pages: 512, status: 0x201, flags: 0x40022 },
      { page: 1024, pages: 2, status: 0x209 },
      { page: 2 ** 52 - 512, pages: 1, status: 0x204 },
    ),
    "x",
  );
  expect(vmas.filter(isPrivate).map(({ page }) => page)).toEqual([16, 20, 40, 512, 1024]);
  expect(vmas.filter(neverInParent).map(({ page }) => page)).toEqual([40, 512]);
  expect(vmas.at(-1)).toEqual({ page: 2 ** 52 - 512, pages: 1, prot: 3, flags: 0x22, status: 0x204 });
});

test("only plain anonymous memory is full of zeros where a dump lists no page; whatever is not known counts as not plain", () => {
  const [plain, anonymous] = [0x201, 0x22];
  const isBlank = (status: number, flags: number): boolean => isBlankWhenAbsent({ page: 16, pages: 1, prot: 3, status, flags });
  for (const [status, flags] of [
    [plain, anonymous],
    [plain | 0x20, anonymous],
    [plain, anonymous | 0x2000 | 0x4000 | 0x20000],
  ] as const)
    expect(isBlank(status, flags)).toBe(true);
  // Every other bit of CRIU's or of mmap's, and those of private files (0x41, 0x4041 for a memfd).
  for (let bit = 0; bit < 31; bit++) {
    if (((plain | 0x20) & (1 << bit)) === 0) expect(isBlank(plain | (1 << bit), anonymous)).toBe(false);
    if (((anonymous | 0x26000) & (1 << bit)) === 0) expect(isBlank(plain, anonymous | (1 << bit))).toBe(false);
  }
  for (const [status, flags] of [
    [0x41, 0x2],
    [0x4041, 0x2],
    [plain, 0x2],
    [plain, 0x20],
    [0x200, anonymous],
    [0x1, anonymous],
  ] as const)
    expect(isBlank(status, flags)).toBe(false);
});

test("areas are put in order and joined where they touch", () => {
  expect(
    inOrder([
      { page: 9, pages: 1 },
      { page: 3, pages: 2 },
      { page: 5, pages: 2 },
      { page: 5, pages: 1 },
    ]),
  ).toEqual([
    { page: 3, pages: 4 },
    { page: 9, pages: 1 },
  ]);
});

test("an image of another kind is refused, and so is one with two records where one belongs", () => {
  for (const read of readers) {
    expect(() => read(image([0x54564319, 0x12345678], message([1, 1])), "x")).toThrow("begins as another kind of file");
  }
  expect(() => readInventory(Buffer.concat([bytesOf(real.inventory), bytesOf(real.inventory).subarray(4)]), "x")).toThrow(
    "2 records",
  );
});

test("real images with any bytes changed, cut or added end in a value or a fault", () => {
  const images = Object.values(real).map(bytesOf);
  fc.assert(
    fc.property(
      fc.constantFrom(...images, mmImage({ page: 1, pages: 2 }, { page: 9, pages: 1 })),
      fc.array(fc.tuple(fc.nat(100), fc.nat(255)), { maxLength: 6 }),
      fc.nat(120),
      (original, changes, length) => {
        const bytes = Buffer.alloc(Math.min(length, original.length + 8));
        original.copy(bytes);
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        for (const read of readers) {
          try {
            read(bytes, "x");
          } catch (error) {
            expect(error).toBeInstanceOf(Fault);
          }
        }
      },
    ),
    { numRuns: 1000 },
  );
});
