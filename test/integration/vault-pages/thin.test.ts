import { existsSync } from "node:fs";
import { cp, mkdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ThinReport, ZeroPages } from "../../../src/engine/ports.ts";
import { IN_PARENT, LAZY, PAGE, PRESENT } from "../../../src/images/pagemap.ts";
import { flatten } from "../../../src/vault/flatten.ts";
import { thin } from "../../../src/vault/thin.ts";
import { everything, readBack } from "../../../src/vault/read-back.ts";
import { inventoryImage, message } from "../../unit/images/encode.ts";
import { aPage, BASE } from "../../unit/images/specimens.ts";
import { BLANK, contentOf, digestsOf, entriesIn, ignore, type Memory, scratchFolder, writeDump } from "./image-folders.ts";
import { fullDump, stories, trackedDump } from "./stories.ts";

let root: string;
const at = (...parts: (string | number)[]): string => path.join(root, ...parts.map(String));
const heap = "pagemap-300.img";

beforeEach(async () => {
  root = await scratchFolder();
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** Thins what lies in staging on generations number `k - 1` to 0. */
async function make(
  k: number,
  onProgress: (bytes: number, total: number) => void = ignore,
  zeros: ZeroPages = "kept",
): Promise<ThinReport> {
  await mkdir(at(k));
  const chain = Array.from({ length: k }, (_, i) => at(k - 1 - i));
  return thin({ staging: at("staging"), into: at(k), chain, parentLink: k === 0 ? null : `../${k - 1}`, zeros }, onProgress);
}

/** Plain memory, then the private mapping of a file, then a stack, then plain memory again. */
const areas = [
  { page: 0, pages: BASE + 8 },
  { page: BASE + 8, pages: 6, status: 0x41, flags: 0x2 },
  { page: BASE + 14, pages: 4, status: 0x201, flags: 0x122 },
  { page: BASE + 18, pages: 2 ** 40 },
];

/** What is there after a restore of pages that are not listed: may they be full of zeros before? */
function mayBeLeftOut(name: string, page: number, tracked: boolean): boolean {
  return name.includes("shmem") || (!tracked && (page < BASE + 8 || page >= BASE + 18));
}

/** A memory of pages full of one letter each, in one entry. */
function memory(letters: string, { name = heap, pagesId = 1, flags = PRESENT, page = BASE } = {}): Memory {
  return {
    name,
    pagesId,
    entries: [{ page, pages: letters.length, flags }],
    bytes: Buffer.concat(Array.from(letters, (l) => aPage(l, l))),
  };
}

test("any page through a thinned chain equals the page of the full dump, and so does its flat copy; nothing more than needed is kept", async () => {
  await fc.assert(
    fc.asyncProperty(stories, async (story) => {
      await rm(root, { recursive: true, force: true });
      await mkdir(root);
      const sealed = [];
      for (let k = 0; k < story.dumps.length; k++) {
        const full = fullDump(story, k);
        await writeDump(at("full"), full);
        await writeDump(at("staging"), trackedDump(story, k), areas);
        if (k > 0 && story.tracked) await symlink("../somewhere", at("staging", "parent"));
        if (story.tracked) await writeFile(at("staging", "inventory.img"), inventoryImage(message([1, 2], [8, 77])));
        const report = await make(k, ignore, "left-out");

        expect(report.digests).toEqual(await digestsOf(at(k)));
        sealed.unshift({ number: k, folder: at(k), digests: report.digests, parent: k > 0 ? { number: k - 1, id: "x" } : null });
        await rm(at("flat"), { recursive: true, force: true });
        await flatten(
          sealed.map(({ folder }) => folder),
          at("flat"),
        );
        expect(existsSync(at("flat", "parent"))).toBe(false);
        let leaning = false;
        let kept = 0;
        for (const { name } of full) {
          const wanted = await contentOf(at("full"), name);
          const thinned = await contentOf(at(k), name);
          expect(await contentOf(at("flat"), name)).toEqual(thinned);
          for (const [page, content] of wanted) {
            if (content !== BLANK || !mayBeLeftOut(name, page, story.tracked)) expect(thinned.get(page)).toBe(content);
            else expect(thinned.get(page) ?? BLANK).toBe(BLANK);
          }
          expect([...thinned.keys()].filter((page) => !wanted.has(page))).toEqual([]);
          const before = k > 0 && existsSync(at(k - 1, name)) ? await contentOf(at(k - 1), name) : new Map<number, string>();
          for (const { page, pages, flags } of await entriesIn(at(k), name)) {
            leaning ||= (flags & IN_PARENT) !== 0;
            if ((flags & PRESENT) === 0) continue;
            kept += pages;
            for (let i = 0; i < pages; i++) expect(before.get(page + i)).not.toEqual(wanted.get(page + i));
            if (before.size === 0) continue;
            for (let i = 0; i < pages; i++)
              if (mayBeLeftOut(name, page + i, story.tracked)) expect(wanted.get(page + i)).not.toBe(BLANK);
          }
        }
        expect(report.pagesKept).toBe(kept);
        expect(existsSync(at(k, "parent"))).toBe(leaning);
        expect((await readBack([sealed], everything, ignore)).damage).toEqual([]);
      }
    }),
    { numRuns: 30 },
  );
}, 60_000);

describe("pages full of zeros", () => {
  const zero = "\0";

  test("are left out of plain memory and of shared objects, but not of file mappings, stacks, huge pages or the vDSO", async () => {
    const kinds = [
      { page: BASE, pages: 2 },
      { page: BASE + 2, pages: 2, status: 0x221 },
      { page: BASE + 4, pages: 2, status: 0x41, flags: 0x2 },
      { page: BASE + 6, pages: 2, status: 0x4041, flags: 0x2 },
      { page: BASE + 8, pages: 2, flags: 0x122 },
      { page: BASE + 10, pages: 2, flags: 0x40022 },
      { page: BASE + 12, pages: 2, status: 0x209 },
      { page: BASE + 14, pages: 2, status: 0x8201 },
    ];
    const shared = memory(`x${zero}y`, { name: "pagemap-shmem-9.img", pagesId: 2, page: 0 });
    await writeDump(at("staging"), [memory(`a${zero}`.repeat(8)), shared], kinds);
    expect(await make(0, ignore, "left-out")).toMatchObject({ pagesKept: 16, pagesBlank: 3 });
    const pages = (await entriesIn(at(0), heap)).flatMap(({ page, pages: count }) =>
      Array.from({ length: count }, (_, i) => page + i - BASE),
    );
    expect(pages).toEqual([0, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    expect(await entriesIn(at(0), "pagemap-shmem-9.img")).toEqual([
      { page: 0, pages: 1, flags: PRESENT },
      { page: 2, pages: 1, flags: PRESENT },
    ]);
  });

  test("that were something else in the parent are not listed, so that nobody looks for them there; and they are found again later", async () => {
    for (const [k, letters] of ["aaab", `a${zero}ab`, "aaab"].entries()) {
      await writeDump(at("staging"), [memory(letters)]);
      await make(k, ignore, "left-out");
    }
    expect(await entriesIn(at(1), heap)).toEqual([
      { page: BASE, pages: 1, flags: IN_PARENT },
      { page: BASE + 2, pages: 2, flags: IN_PARENT },
    ]);
    expect(await entriesIn(at(2), heap)).toEqual([
      { page: BASE, pages: 1, flags: IN_PARENT },
      { page: BASE + 1, pages: 1, flags: PRESENT },
      { page: BASE + 2, pages: 2, flags: IN_PARENT },
    ]);
  });

  test("stay where the next dump of --track-mem would look for them, whatever was asked for", async () => {
    const shared = memory(`x${zero}`, { name: "pagemap-shmem-9.img", pagesId: 2, page: 0 });
    await writeDump(at("staging"), [memory(`a${zero}`), shared]);
    await writeFile(at("staging", "inventory.img"), inventoryImage(message([1, 2], [8, 77])));
    expect(await make(0, ignore, "left-out")).toMatchObject({ pagesKept: 3, pagesBlank: 1 });
    expect((await contentOf(at(0), heap)).get(BASE + 1)).toBe(BLANK);
  });

  test("too few to be worth writing a base anew leave it as it is", async () => {
    await writeDump(at("staging"), [memory(`${"a".repeat(99)}${zero}`)]);
    expect(await make(0, ignore, "left-out")).toMatchObject({ pagesKept: 100, pagesBlank: 0 });
  });
});

describe("a base", () => {
  test("keeps every page, every other image, and needs no link", async () => {
    await writeDump(at("staging"), [memory("abc"), memory("xy", { name: "pagemap-shmem-9.img", pagesId: 2, page: 0 })]);
    await cp(at("staging"), at("full"), { recursive: true });
    const report = await make(0);
    expect(report).toMatchObject({ pagesKept: 5, pagesShared: 0, highestPid: 317, processes: 2 });
    expect(await digestsOf(at(0))).toEqual(await digestsOf(at("full")));
    // Only the pagemaps: all else is moved.
    const pagemaps = Object.entries(report.digests).filter(([name]) => name.startsWith("pagemap-"));
    expect(report.bytesWritten).toBe(pagemaps.reduce((sum, [, { bytes }]) => sum + bytes, 0));
  });

  test("of a dump that leaves pages to a parent is refused", async () => {
    await writeDump(at("staging"), [{ ...memory(""), entries: [{ page: BASE, pages: 1, flags: IN_PARENT }] }]);
    await expect(make(0)).rejects.toMatchObject({
      code: "image-malformed",
      message: expect.stringContaining("there is no parent"),
    });
  });
});

describe("an increment", () => {
  test("has the pagemap that older CRIUs understand too, split where pages differ, with the LAZY hint as it was", async () => {
    await writeDump(at("staging"), [memory("aaaaaa", { flags: PRESENT | LAZY })]);
    await make(0);
    await writeDump(at("staging"), [memory("abbaac", { flags: PRESENT | LAZY })]);
    expect(await make(1)).toMatchObject({ pagesKept: 3, pagesShared: 3 });
    expect(await entriesIn(at(1), heap)).toEqual([
      { page: BASE, pages: 1, flags: IN_PARENT | LAZY },
      { page: BASE + 1, pages: 2, flags: PRESENT | LAZY },
      { page: BASE + 3, pages: 2, flags: IN_PARENT | LAZY },
      { page: BASE + 5, pages: 1, flags: PRESENT | LAZY },
    ]);
  });

  test("on which nothing changed still has its empty pages file", async () => {
    for (const k of [0, 1]) {
      await writeDump(at("staging"), [memory("abc")]);
      await make(k);
    }
    expect(await readFile(at(1, "pages-1.img"))).toHaveLength(0);
    expect((await contentOf(at(1), heap)).size).toBe(3);
  });

  test("finds a page that came back to what it was only if the nearest parent holds that", async () => {
    for (const [k, letters] of ["a", "b", "a"].entries()) {
      await writeDump(at("staging"), [memory(letters)]);
      expect((await make(k)).pagesKept).toBe(1);
    }
  });

  test("keeps the pages of AIO rings and of private huge pages, whatever the parent holds", async () => {
    const areas = [
      { page: BASE, pages: 2 },
      { page: BASE + 2, pages: 2, status: 0x2000 },
      { page: BASE + 4, pages: 2, flags: 0x40022 },
      { page: BASE + 6, pages: 1 },
    ];
    for (const k of [0, 1]) {
      await writeDump(at("staging"), [memory("aaaaaaa")], areas);
      await make(k);
    }
    expect(await entriesIn(at(1), heap)).toEqual([
      { page: BASE, pages: 2, flags: IN_PARENT },
      { page: BASE + 2, pages: 4, flags: PRESENT },
      { page: BASE + 6, pages: 1, flags: IN_PARENT },
    ]);
  });

  test("of a memory of many blocks, scattered over a long chain, is exact", async () => {
    const pages = 3000;
    const letter = (k: number, page: number): string => (page % 7 < k ? String.fromCharCode(97 + k) : "a");
    for (const k of [0, 1, 2, 3]) {
      const letters = Array.from({ length: pages }, (_, page) => letter(k, page)).join("");
      await writeDump(at("staging"), [memory(letters)]);
      await cp(at("staging"), at("full"), { recursive: true });
      let last = [0, 0];
      const report = await make(k, (bytes, total) => (last = [bytes, total]));
      expect(report.pagesKept + report.pagesShared).toBe(pages);
      expect(last[0]).toBe(last[1]);
      expect(await contentOf(at(k), heap)).toEqual(await contentOf(at("full"), heap));
    }
    await flatten(
      [3, 2, 1, 0].map((k) => at(k)),
      at("flat"),
    );
    expect((await digestsOf(at("flat")))["pages-1.img"]).toEqual((await digestsOf(at("full")))["pages-1.img"]);
  });

  test("of a memory that is new keeps it whole, though another one went", async () => {
    await writeDump(at("staging"), [memory("abc")]);
    await make(0);
    await writeDump(at("staging"), [memory("abc", { name: "pagemap-301.img" })]);
    expect(await make(1)).toMatchObject({ pagesKept: 3, pagesShared: 0 });
    expect(existsSync(at(1, "parent"))).toBe(false);
  });
});

describe("what cannot be trusted is refused", () => {
  beforeEach(async () => {
    await writeDump(at("staging"), [memory("abc")]);
    await make(0);
    await writeDump(at("staging"), [memory("abd")]);
  });
  const refused = (text: string) =>
    expect(make(1)).rejects.toMatchObject({ code: "image-malformed", message: expect.stringContaining(text) });

  test("a pages file that is too short", async () => {
    await truncate(at("staging", "pages-1.img"), 2 * PAGE);
    await refused("it has 8192 bytes, its pagemap tells of 12288");
  });
  test("a pages file that is too long", async () => {
    await truncate(at("staging", "pages-1.img"), 4 * PAGE);
    await refused("it has 16384 bytes");
  });
  test("no pages file", async () => {
    await rm(at("staging", "pages-1.img"));
    await refused("pages-1.img");
  });
  test("a parent's pages file that is too short", async () => {
    await truncate(at(0, "pages-1.img"), PAGE);
    await refused("it ends at byte 4096, its pagemap goes on to 12288");
  });
  test("pages left by CRIU to a parent whose pages file is too short", async () => {
    await writeDump(at("staging"), [{ ...memory(""), entries: [{ page: BASE, pages: 3, flags: IN_PARENT }] }]);
    await truncate(at(0, "pages-1.img"), 2 * PAGE);
    await refused("it ends at byte 8192");
  });
  test("pages left by CRIU to a parent that does not have them", async () => {
    await writeDump(at("staging"), [{ ...memory(""), entries: [{ page: BASE + 1, pages: 3, flags: IN_PARENT }] }]);
    await refused("are left to the generation 1 before it, and it does not have them");
  });
  test("a page outside of all memory areas", async () => {
    await writeDump(at("staging"), [memory("abd")], [{ page: BASE, pages: 2 }]);
    await refused("is in no private memory area");
  });
  test("two pagemaps with one pages file", async () => {
    await writeDump(at("staging"), [memory("abd"), memory("abd", { name: "pagemap-301.img" })]);
    await refused("belongs to another pagemap already");
  });
  test("no process tree", async () => {
    await rm(at("staging", "pstree.img"));
    await refused("it is missing");
  });
  test("something that is no file", async () => {
    await mkdir(at("staging", "pagemap-9.img"));
    await refused("it is no plain file");
  });
});

test("a file that is there already is not written over", async () => {
  await writeDump(at("staging"), [memory("abc")]);
  await make(0);
  await writeDump(at("staging"), [memory("abc")]);
  await mkdir(at(1));
  await writeFile(at(1, "pages-1.img"), "mine");
  await rm(at("x"), { recursive: true, force: true });
  const request = { staging: at("staging"), into: at(1), chain: [at(0)], parentLink: "../0" };
  await expect(thin(request, ignore)).rejects.toMatchObject({ code: "EEXIST" });
});
