import { mkdir, rm, stat, truncate } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { IN_PARENT, PAGE, PRESENT } from "../../../src/images/pagemap.ts";
import { foldMemory } from "../../../src/vault/pages-fold.ts";
import { BASE } from "../../unit/images/specimens.ts";
import { ignore, scratchFolder, writeDump } from "./image-folders.ts";

let root: string;
beforeEach(async () => {
  root = await scratchFolder();
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** A GiB of pages that the base holds, sparse on the disk, all of which the child reads from it. */
const pages = 2 ** 30 / PAGE;
const name = "pagemap-300.img";

test("a fold holds less than 128 MiB, whatever the size of the memory", async () => {
  const [base, child, into] = ["1", "2", "3"].map((each) => path.join(root, each)) as [string, string, string];
  const memory = { name, pagesId: 1, bytes: Buffer.alloc(0) };
  await writeDump(base, [{ ...memory, entries: [{ page: BASE, pages, flags: PRESENT }] }]);
  await truncate(path.join(base, "pages-1.img"), pages * PAGE);
  await writeDump(child, [{ ...memory, entries: [{ page: BASE, pages, flags: IN_PARENT }] }]);
  await mkdir(into);
  const before = process.resourceUsage().maxRSS;
  await foldMemory({ folders: [child, base], name, parent: Infinity }, into, ignore);
  const grown = (process.resourceUsage().maxRSS - before) / 1024;
  expect((await stat(path.join(into, "pages-1.img"))).size).toBe(pages * PAGE);
  expect(grown).toBeLessThan(128);
}, 240_000);
