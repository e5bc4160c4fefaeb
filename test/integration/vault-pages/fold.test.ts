import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Generation } from "../../../src/domain/generation.ts";
import { planFolds } from "../../../src/domain/plan-expire.ts";
import { rowOf } from "../../../src/engine/generation-of.ts";
import type { Vault, ZeroPages } from "../../../src/engine/ports.ts";
import { exchangeNames } from "../../../src/host/exchange.ts";
import { isPagemapName } from "../../../src/images/image-names.ts";
import { IN_PARENT, PAGE, PRESENT } from "../../../src/images/pagemap.ts";
import { openVault } from "../../../src/vault/vault.ts";
import { aPage, BASE } from "../../unit/images/specimens.ts";
import { aManifest, lj } from "../../unit/vault/specimens.ts";
import { contentOf, entriesIn, ignore, type Memory, scratchFolder, writeDump } from "./image-folders.ts";
import { storiesOf, trackedDump, zerosOf } from "./stories.ts";

let root: string;
beforeEach(async () => {
  root = await scratchFolder();
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function emptyVault(exchange: boolean): Promise<Vault> {
  await rm(root, { recursive: true, force: true });
  await mkdir(root);
  const random = (): string => randomBytes(16).toString("hex");
  const options = { path: path.join(root, "vault"), stagingPath: null, keyPath: null, random, now: () => 77 };
  return openVault(exchange ? { ...options, exchange: exchangeNames } : options);
}

/** Dump, thin and seal; the number's parent is the one before it. */
async function take(vault: Vault, number: number, memories: readonly Memory[], zeros?: ZeroPages): Promise<void> {
  const making = await vault.prepare(lj, number);
  await writeDump(making.staging, memories);
  const parent = number === 1 ? null : number - 1;
  const { digests, pagesKept } = await vault.thin(making, parent, ignore, zeros);
  const pages = { scanned: 0, written: 0, skipped: 0, kept: pagesKept };
  const stands = {
    kind: parent === null ? "base" : "increment",
    parent: parent === null ? null : { number: parent, id: `id-${parent}` },
  } as const;
  await vault.seal(making, aManifest(number, { ...stands, pages }), digests);
}

async function rows(vault: Vault): Promise<readonly Generation[]> {
  return Promise.all((await vault.sealed(lj)).map(async (number) => rowOf(await vault.manifest(lj, number), {})));
}

/** Every page of every memory of a point, found by the links on the disk. */
async function pagesOf(vault: Vault, number: number): Promise<Readonly<Record<string, Map<number, string>>>> {
  const folder = vault.generationFolder(lj, number);
  const names = (await readdir(folder)).filter(isPagemapName).toSorted();
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await contentOf(folder, name)] as const)));
}

const letters = (text: string, name = "pagemap-300.img", pagesId = 1): Memory => ({
  name,
  pagesId,
  entries: [{ page: BASE, pages: text.length, flags: PRESENT }],
  bytes: Buffer.concat(Array.from(text, (letter) => aPage(letter, letter))),
});

test("whatever expires, in passes of any kind, each kept point keeps every byte of every page, and what expired is gone", async () => {
  const passes = fc.array(fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(storiesOf(3, 7), passes, fc.boolean(), async (story, expiring, exchange) => {
      const vault = await emptyVault(exchange);
      for (let k = 0; k < story.dumps.length; k++) await take(vault, k + 1, trackedDump(story, k), zerosOf(story));
      const before = new Map<number, Awaited<ReturnType<typeof pagesOf>>>();
      for (const number of await vault.sealed(lj)) before.set(number, await pagesOf(vault, number));

      for (const pass of expiring) {
        // The newest always stays.
        const withdrawn = new Set(pass.filter((number) => number < story.dumps.length));
        const { folds, sweeps } = planFolds(await rows(vault), withdrawn);
        for (const { number, parent } of folds) await vault.fold(lj, number, parent, ignore);
        for (const number of sweeps) await vault.remove(lj, number);

        const left = await vault.sealed(lj);
        expect(left.filter((number) => withdrawn.has(number))).toEqual([]);
        expect((await readdir(path.dirname(vault.generationFolder(lj, 1)))).toSorted()).toEqual(left.map(String).toSorted());
        for (const number of left) {
          expect(await pagesOf(vault, number)).toEqual(before.get(number));
          expect(await vault.verifyChain(lj, number, ignore)).toEqual([]);
          const { kind, parent, pages } = await vault.manifest(lj, number);
          expect([kind, parent === null]).toEqual([parent === null ? "base" : "increment", kind === "base"]);
          expect(pages.kept).toBe(await storedIn(vault, number));
        }
        expect(planFolds(await rows(vault), withdrawn)).toEqual({ folds: [], sweeps: [], spared: [] });
      }
    }),
    { numRuns: 25 },
  );
}, 120_000);

async function storedIn(vault: Vault, number: number): Promise<number> {
  const folder = vault.generationFolder(lj, number);
  let bytes = 0;
  for (const name of await readdir(folder)) if (/^pages-\d+\.img$/.test(name)) bytes += (await stat(path.join(folder, name))).size;
  return bytes / PAGE;
}

test("only ranges that a generation lists are taken over, and nothing that a generation between has besides", async () => {
  const vault = await emptyVault(true);
  await take(vault, 1, [letters("aaaaaaaa")]);
  await take(vault, 2, [letters("abbbbaaa")]);
  await take(vault, 3, [{ ...letters("ab"), entries: [{ page: BASE, pages: 2, flags: PRESENT }] }]);
  expect(await vault.fold(lj, 3, 1, ignore)).toEqual({ bytesMoved: PAGE });
  expect(await entriesIn(vault.generationFolder(lj, 3), "pagemap-300.img")).toEqual([
    { page: BASE, pages: 1, flags: IN_PARENT },
    { page: BASE + 1, pages: 1, flags: PRESENT },
  ]);
});

test("pages taken over grow together with their neighbours, so that folds do not splinter a pagemap", async () => {
  const vault = await emptyVault(true);
  await take(vault, 1, [letters("aaaaaaaa")]);
  await take(vault, 2, [letters("abababab")]);
  await take(vault, 3, [letters("cbcbcbcb")]);
  await vault.fold(lj, 3, 1, ignore);
  const folder = vault.generationFolder(lj, 3);
  expect(await entriesIn(folder, "pagemap-300.img")).toEqual([{ page: BASE, pages: 8, flags: PRESENT }]);
  // It could stand alone, and the link that CRIU would follow for nothing is gone.
  expect(existsSync(path.join(folder, "parent"))).toBe(false);
  expect((await vault.manifest(lj, 3)).parent).toEqual({ number: 1, id: "id-1" });
});

test("files that stay the same are the same files, and a memory that takes nothing over is not written again", async () => {
  const vault = await emptyVault(true);
  const second = (text: string): Memory => letters(text, "pagemap-301.img", 2);
  await take(vault, 1, [letters("aaaa"), second("xyz")]);
  await take(vault, 2, [letters("baaa"), second("xyz")]);
  await take(vault, 3, [letters("bbaa"), second("xyz")]);
  const inode = async (name: string): Promise<number> => (await stat(path.join(vault.generationFolder(lj, 3), name))).ino;
  const names = ["pstree.img", "inventory.img", "pagemap-301.img", "pages-2.img"];
  const before = await Promise.all([...names, "pages-1.img"].map(inode));
  await vault.fold(lj, 3, 1, ignore);
  expect(await Promise.all(names.map(inode))).toEqual(before.slice(0, -1));
  expect(await inode("pages-1.img")).not.toBe(before.at(-1));
});

test("progress rises to its total, and scattered pages in many blocks come together whole", async () => {
  const vault = await emptyVault(true);
  const big = (letter: string, at: number): Memory => {
    const bytes = Buffer.alloc(8192 * PAGE, "a");
    for (let page = at; page < 8192; page += 5) bytes.fill(letter, page * PAGE, (page + 1) * PAGE);
    return { name: "pagemap-300.img", pagesId: 1, entries: [{ page: BASE, pages: 8192, flags: PRESENT }], bytes };
  };
  await take(vault, 1, [big("a", 0)]);
  await take(vault, 2, [big("b", 1)]);
  await take(vault, 3, [big("c", 2)]);
  const before = await pagesOf(vault, 3);
  let last = [0, 0];
  let rising = true;
  expect(
    await vault.fold(lj, 3, null, (bytes, total) => {
      rising &&= bytes >= (last[0] ?? 0);
      last = [bytes, total];
    }),
  ).toEqual({ bytesMoved: (8192 - 1639 - 1638) * PAGE });
  expect(rising).toBe(true);
  expect(last[0]).toBe(last[1]);
  expect(await pagesOf(vault, 3)).toEqual(before);
});

test.each([
  ["a page that is taken over", 1],
  ["a page that nobody asks for, after the last that is", 3],
])("a fold that reads a file with damage in %s refuses, and leaves all as it was", async (_what, page) => {
  const vault = await emptyVault(true);
  await take(vault, 1, [letters("aaaa")]);
  await take(vault, 2, [letters("bbbb")]);
  await take(vault, 3, [letters("cbbc")]);
  const file = path.join(vault.generationFolder(lj, 2), "pages-1.img");
  const bytes = await readFile(file);
  await writeFile(file, bytes.with(page * PAGE + 5, 7));
  const before = await readFile(path.join(vault.generationFolder(lj, 3), "holdfast.json"));
  await expect(vault.fold(lj, 3, 1, ignore)).rejects.toMatchObject({
    code: "point-damaged",
    message: expect.stringContaining("point 2 of lj is damaged: pages-1.img: its content is not what was sealed"),
  });
  expect(await readFile(path.join(vault.generationFolder(lj, 3), "holdfast.json"))).toEqual(before);
  expect((await readdir(path.dirname(vault.generationFolder(lj, 3)))).toSorted()).toEqual(["1", "2", "3"]);
});
