import { mkdir, rm, stat, truncate } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PAGE, type PageEntry, PRESENT } from "../../../src/images/pagemap.ts";
import { thin } from "../../../src/vault/thin.ts";
import { BASE } from "../../unit/images/specimens.ts";
import { ignore, scratchFolder, writeDump } from "./image-folders.ts";

let root: string;
beforeEach(async () => {
  root = await scratchFolder();
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** Half a GiB of pages, sparse on the disk; the parent has three of four, in pieces. */
const pages = 2 ** 29 / PAGE;
const piece = 64;

test("thin holds less than 128 MiB, whatever the size of the memory and however it lies scattered", async () => {
  const [base, staging, into] = ["0", "staging", "1"].map((each) => path.join(root, each)) as [string, string, string];
  const memory = { name: "pagemap-300.img", pagesId: 1, bytes: Buffer.alloc(0) };
  const held: PageEntry[] = [];
  for (let page = 0; page < pages; page += piece)
    if ((page / piece) % 4 !== 0) held.push({ page: BASE + page, pages: piece, flags: PRESENT });
  await writeDump(base, [{ ...memory, entries: held }]);
  await truncate(path.join(base, "pages-1.img"), held.length * piece * PAGE);
  await writeDump(staging, [{ ...memory, entries: [{ page: BASE, pages, flags: PRESENT }] }]);
  await truncate(path.join(staging, "pages-1.img"), pages * PAGE);
  await mkdir(into);
  const before = process.resourceUsage().maxRSS;
  const report = await thin({ staging, into, chain: [base], parentLink: "../0" }, ignore);
  const grown = (process.resourceUsage().maxRSS - before) / 1024;
  expect(report).toMatchObject({ pagesKept: pages / 4, pagesShared: (pages / 4) * 3 });
  expect((await stat(path.join(into, "pages-1.img"))).size).toBe((pages / 4) * PAGE);
  expect(grown).toBeLessThan(128);
}, 240_000);
