import { mkdtemp, rm, symlink, truncate, unlink, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readDump, readPreDump } from "../../../src/criu/verify-dump.ts";
import { IN_PARENT, pagemapOf, PRESENT, writePagemap } from "../../../src/images/pagemap.ts";

let images: string;
const file = (name: string) => path.join(images, name);

beforeEach(async () => {
  images = await mkdtemp(path.join(os.tmpdir(), "holdfast-images-"));
  // Written by CRIU 4.2.1: a job of one process, without tracking.
  await writeFile(
    file("stats-dump"),
    Buffer.from(
      "4059105506330957240000000a22088901" + "10a37e18ae3620f02428a016300038be1540004800500858086000680070 00".replace(" ", ""),
      "hex",
    ),
  );
  await writeFile(file("inventory.img"), Buffer.from("163131580200000008 02".replace(" ", ""), "hex"));
  await writeFile(file("pagemap-300.img"), writePagemap(pagemapOf(1, [{ page: 16, pages: 2, flags: PRESENT }])));
  await writeFile(file("pages-1.img"), Buffer.alloc(8192, 1));
});
afterEach(() => rm(images, { recursive: true, force: true }));

test("a dump that is all there is sound, with CRIU's figures", async () => {
  expect(await readDump(images, null)).toMatchObject({
    type: "sound",
    stats: { freezeMicros: 16163, memdumpMicros: 6958, pagesScanned: 2848, pagesSkipped: 0, pagesWritten: 2750 },
  });
});

test.each([
  ["stats-dump is missing", () => unlink(file("stats-dump"))],
  ["inventory.img is missing", () => unlink(file("inventory.img"))],
  ["it is empty", () => truncate(file("inventory.img"))],
  ["pages-1.img has 4096 bytes", () => truncate(file("pages-1.img"), 4096)],
  ["pages-1.img has 12288 bytes", () => truncate(file("pages-1.img"), 12288)],
  ["pages-1.img is missing", () => unlink(file("pages-1.img"))],
  ["it holds no memory", () => unlink(file("pagemap-300.img"))],
  ["was not asked for", () => symlink("../7", file("parent"))],
  [
    "a parent that there is not",
    () =>
      writeFile(
        file("pagemap-300.img"),
        writePagemap(
          pagemapOf(1, [
            { page: 16, pages: 2, flags: PRESENT },
            { page: 20, pages: 1, flags: IN_PARENT },
          ]),
        ),
      ),
  ],
])("a dump is unsound when %s", async (why, damage) => {
  await damage();
  expect(await readDump(images, null)).toMatchObject({ type: "unsound", why: expect.stringContaining(why) });
});

test("a pre-dump is unsound", async () => {
  await writeFile(file("inventory.img"), Buffer.from("16313158020000000800", "hex"));
  expect(await readDump(images, null)).toMatchObject({ type: "unsound", why: expect.stringContaining("pre-dump") });
});

test("a pre-dump is sound as one, if it tracked, stands where it was meant to, and is all there; it tells its pages and its freeze", async () => {
  await writeFile(file("inventory.img"), Buffer.from("16313158050000000800408001", "hex"));
  expect(await readPreDump(images, null)).toEqual({ type: "sound", round: { pages: 2, freezeMicros: 16163 } });
  expect(await readPreDump(images, "../7")).toMatchObject({ type: "unsound", why: expect.stringContaining("parent") });
  await truncate(file("pages-1.img"), 4096);
  expect(await readPreDump(images, null)).toMatchObject({ type: "unsound", why: expect.stringContaining("pages-1.img") });
  await unlink(file("pagemap-300.img"));
  expect(await readPreDump(images, null)).toMatchObject({ type: "sound", round: { pages: 0 } });
  await writeFile(file("inventory.img"), Buffer.from("163131580500000008024080 01".replace(" ", ""), "hex"));
  expect(await readPreDump(images, null)).toMatchObject({ type: "unsound", why: expect.stringContaining("a dump") });
});

test("a tracked dump must say so, and must stand on the parent that was meant", async () => {
  expect(await readDump(images, { parent: null })).toMatchObject({ type: "unsound", why: expect.stringContaining("tracked") });
  await writeFile(file("inventory.img"), Buffer.from("163131580500000008024080 01".replace(" ", ""), "hex"));
  expect(await readDump(images, { parent: null })).toMatchObject({ type: "sound" });
  expect(await readDump(images, { parent: "../7" })).toMatchObject({
    type: "unsound",
    why: expect.stringContaining("missing, not ../7"),
  });
  await symlink("../7", file("parent"));
  expect(await readDump(images, { parent: "../7" })).toMatchObject({ type: "sound" });
  expect(await readDump(images, { parent: "../8" })).toMatchObject({ type: "unsound" });
});
