import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { compose, type Engine } from "../../../src/compose.ts";
import { parseJobName } from "../../../src/domain/name.ts";
import { dedup } from "../../../src/engine/dedup.ts";
import { type DiskUse, diskUse } from "../../../src/engine/disk-use.ts";
import { foldOnto } from "../../../src/engine/expire.ts";
import { foldPoint } from "../../../src/engine/fold-point.ts";
import { importPoints } from "../../../src/engine/import-points.ts";
import { points } from "../../../src/engine/queries.ts";
import { isPagemapName } from "../../../src/images/image-names.ts";
import { PAGE } from "../../../src/images/pagemap.ts";
import { readSettings } from "../../../src/settings/read.ts";
import { aJob } from "../../unit/vault/specimens.ts";
import { dumpByHand, letters } from "./hand-made.ts";
import { contentOf, ignore, type Memory, scratchFolder } from "./image-folders.ts";
import { storiesOf, trackedDump } from "./stories.ts";

const melt = parseJobName("melt");
let root: string;
let engine: Engine;

beforeEach(async () => {
  root = await scratchFolder();
  engine = await compose(readSettings({ file: null, env: {}, flags: { "vault.path": path.join(root, "vault") } }));
});
afterEach(async () => {
  await engine.close();
  await rm(root, { recursive: true, force: true });
});

/** The dumps of a life as points 1, 2, ... of the job, each standing on the one before. */
async function lifeOf(dumps: readonly (readonly Memory[])[]): Promise<void> {
  const folder = path.join(root, "hand");
  await rm(folder, { recursive: true, force: true });
  if (await engine.ports.catalogue.job(melt)) {
    await engine.ports.catalogue.removeJob(melt);
    await engine.ports.vault.removeJob(melt);
  }
  for (const [k, memories] of dumps.entries())
    await dumpByHand(path.join(folder, String(k + 1)), memories, k === 0 ? null : String(k));
  await importPoints(engine.ports, aJob(melt, { schedule: null }), { folder, restoreOptions: [] });
}

async function pagesOf(number: number): Promise<Readonly<Record<string, Map<number, string>>>> {
  const folder = engine.ports.vault.generationFolder(melt, number);
  const names = (await readdir(folder)).filter(isPagemapName).toSorted();
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await contentOf(folder, name)] as const)));
}

async function allPages(): Promise<readonly unknown[]> {
  const numbers = await engine.ports.vault.sealed(melt);
  return Promise.all(numbers.map(async (number) => [number, await pagesOf(number)]));
}

async function bytesOf(number: number, counts: (name: string) => boolean): Promise<number> {
  const folder = engine.ports.vault.generationFolder(melt, number);
  let bytes = 0;
  for (const name of await readdir(folder)) if (counts(name)) bytes += (await stat(path.join(folder, name))).size;
  return bytes;
}

const isPages = (name: string): boolean => /^pages-\d+\.img$/.test(name);

async function pageBytes(): Promise<number> {
  let bytes = 0;
  for (const number of await engine.ports.vault.sealed(melt)) bytes += await bytesOf(number, isPages);
  return bytes;
}

async function everyPointIsWhole(): Promise<void> {
  for (const number of await engine.ports.vault.sealed(melt))
    expect(await engine.ports.vault.verifyChain(melt, number, ignore)).toEqual([]);
}

function frees({ generations }: DiskUse, number: number): number {
  return generations.find(({ generation }) => generation.number === number)?.frees ?? Number.NaN;
}

test("what du says expiring a generation frees is what it frees, and what it shares is what others hold", async () => {
  await fc.assert(
    fc.asyncProperty(storiesOf(2, 5), fc.nat(), async (story, pick) => {
      await lifeOf(story.dumps.map((_, k) => trackedDump(story, k)));
      const told = await diskUse(engine.ports, melt);
      for (const { generation, own, shared } of told.generations) {
        expect(own).toBe(await bytesOf(generation.number, (name) => name !== "holdfast.json" && name !== "parent"));
        const all = Object.values(await pagesOf(generation.number)).reduce((sum, pages) => sum + pages.size, 0) * PAGE;
        expect(shared).toBe(all - (await bytesOf(generation.number, isPages)));
      }
      expect(told.bytes).toBe(told.generations.reduce((sum, { own }) => sum + own, 0));
      // Any but the newest, as a policy would have it.
      const number = 1 + (pick % (story.dumps.length - 1));
      const others = await bytesOf(number, (name) => !isPages(name) && name !== "holdfast.json" && name !== "parent");
      const before = await pageBytes();
      await foldOnto(engine.ports, melt, number + 1, number === 1 ? null : number - 1);
      await engine.ports.vault.remove(melt, number);
      expect(frees(told, number)).toBe(before - (await pageBytes()) + others);
    }),
    { numRuns: 15 },
  );
}, 90_000);

test("du shows a generation whose chain cannot be read as that, and the others with their sizes", async () => {
  await lifeOf([[letters("abcd")], [letters(" B  ")], [letters("  C ")]]);
  await rm(path.join(engine.ports.vault.generationFolder(melt, 2), "pagemap-300.img"));
  const { generations } = await diskUse(engine.ports, melt);
  expect(generations.map(({ shared, frees: free, why }) => [shared === null, free === null, why === null])).toEqual([
    [false, false, true],
    [false, true, true],
    [true, false, false],
  ]);
});

test("a point folded into a base keeps every byte, and so do all that stand on it; folded again, nothing changes", async () => {
  await lifeOf([[letters("abcd")], [letters(" B  ")], [letters("  C ")], [letters("   D")]]);
  const before = await allPages();
  const report = await foldPoint(engine.ports, melt, 3);
  expect(report).toMatchObject({ point: 3, stoodOn: 2 });
  expect(report.bytesAfter - report.bytesBefore).toBeGreaterThanOrEqual(3 * PAGE - 200);
  expect(await allPages()).toEqual(before);
  await everyPointIsWhole();
  expect(
    (await points(engine.ports, melt)).map(({ number, kind, parent, bytes }) => [number, kind, parent, number === 3 ? bytes : 0]),
  ).toEqual([
    [1, "base", null, 0],
    [2, "increment", 1, 0],
    [3, "base", null, report.bytesAfter],
    [4, "increment", 3, 0],
  ]);
  const manifest = await readFile(path.join(engine.ports.vault.generationFolder(melt, 3), "holdfast.json"));
  expect(await foldPoint(engine.ports, melt, 3)).toMatchObject({
    stoodOn: null,
    bytesBefore: report.bytesAfter,
    bytesAfter: report.bytesAfter,
  });
  expect(await readFile(path.join(engine.ports.vault.generationFolder(melt, 3), "holdfast.json"))).toEqual(manifest);
  await expect(foldPoint(engine.ports, melt, 9)).rejects.toMatchObject({ code: "point-unknown" });
});

test("after any folds dedup loses no byte of any page, leaves none twice in a chain, and then finds nothing more", async () => {
  const folding = fc.array(fc.integer({ min: 2, max: 5 }), { maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(storiesOf(3, 5), folding, async (story, folds) => {
      await lifeOf(story.dumps.map((_, k) => trackedDump(story, k)));
      // Each lets its parent go, but that stays where it is.
      for (const number of folds) {
        if (number > story.dumps.length) continue;
        const { parent } = await engine.ports.vault.manifest(melt, number);
        if (parent === null) continue;
        await foldOnto(engine.ports, melt, number, (await engine.ports.vault.manifest(melt, parent.number)).parent?.number ?? null);
      }
      const [before, bytesBefore] = [await allPages(), await pageBytes()];
      const report = await dedup(engine.ports, melt);
      const dropped = report.changed.reduce((sum, { pagesDropped }) => sum + pagesDropped, 0);
      expect(await allPages()).toEqual(before);
      expect(await pageBytes()).toBe(bytesBefore - dropped * PAGE);
      expect(report.bytesAfter).toBe((await diskUse(engine.ports, melt)).bytes);
      await everyPointIsWhole();
      for (const number of await engine.ports.vault.sealed(melt)) {
        expect((await engine.ports.vault.manifest(melt, number)).pages.kept * PAGE).toBe(await bytesOf(number, isPages));
      }
      expect(await dedup(engine.ports, melt)).toMatchObject({
        changed: [],
        bytesBefore: report.bytesAfter,
        bytesAfter: report.bytesAfter,
      });
      expect((await readdir(path.dirname(engine.ports.vault.generationFolder(melt, 1)))).every((name) => /^\d+$/.test(name))).toBe(
        true,
      );
    }),
    { numRuns: 15 },
  );
}, 90_000);

test("a page that went away and came back is dropped by dedup once the point between is folded over", async () => {
  await lifeOf([[letters("abcd")], [letters(" B  ")], [letters(" b  ")]]);
  expect(await dedup(engine.ports, melt)).toMatchObject({ changed: [] });
  await foldOnto(engine.ports, melt, 3, 1);
  expect(await dedup(engine.ports, melt)).toMatchObject({ changed: [{ number: 3, pagesDropped: 1 }] });
  expect(await bytesOf(3, isPages)).toBe(0);
});

test("dedup gives up no page for a damaged one: it is refused and written down, and every generation stays as it was", async () => {
  await lifeOf([[letters("abcd")], [letters(" B  ")], [letters(" b  ")]]);
  await foldOnto(engine.ports, melt, 3, 1);
  const file = path.join(engine.ports.vault.generationFolder(melt, 1), "pages-1.img");
  const bytes = await readFile(file);
  bytes[PAGE * 3] = 0x21;
  await writeFile(file, bytes);
  const before = await allPages();
  await expect(dedup(engine.ports, melt)).rejects.toMatchObject({ code: "point-damaged" });
  expect(await allPages()).toEqual(before);
  expect(await points(engine.ports, melt)).toEqual([]);
});
