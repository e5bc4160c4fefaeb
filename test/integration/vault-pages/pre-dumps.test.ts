import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Making, Vault } from "../../../src/engine/ports.ts";
import { isPagemapName } from "../../../src/images/image-names.ts";
import { IN_PARENT, PRESENT } from "../../../src/images/pagemap.ts";
import { openVault } from "../../../src/vault/vault.ts";
import { aPage, BASE } from "../../unit/images/specimens.ts";
import { aManifest, lj } from "../../unit/vault/specimens.ts";
import { contentOf, digestsOf, entriesIn, ignore, type Memory, writeDump } from "./image-folders.ts";
import { fullDump, type Story, storiesOf, trackedDump, zerosOf } from "./stories.ts";

let root: string;
beforeEach(async () => {
  // Each run seals, which syncs: in memory, where there is any, that is quick.
  root = await mkdtemp(path.join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "holdfast-pages-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function emptyVault(stagingPath: string | null = null): Promise<Vault> {
  await rm(root, { recursive: true, force: true });
  await mkdir(root);
  const random = (): string => randomBytes(16).toString("hex");
  return openVault({ path: path.join(root, "vault"), stagingPath, keyPath: null, random, now: () => 77 });
}

/** Seals what was thinned of a making, as the generation that stands on the one before it. */
async function seal(vault: Vault, making: Making, whole: Making, parent: number | null, story: Story): Promise<void> {
  const { digests, pagesKept } = await vault.thin(whole, parent, ignore, zerosOf(story));
  await vault.dropPreDumps(making);
  const link = parent === null ? null : { number: parent, id: `id-${parent}` };
  const pages = { scanned: 0, written: 0, skipped: 0, kept: pagesKept };
  await vault.seal(making, aManifest(making.number, { kind: link === null ? "base" : "increment", parent: link, pages }), digests);
}

const tracked: Story = { dumps: [], tracked: true };

/** Dump number `k` of the story as a pre-dump writes it, without shared memory. */
const preDump = (story: Story, k: number) => trackedDump(story, k).filter(({ name }) => !name.includes("shmem"));

async function contents(folder: string): Promise<Readonly<Record<string, Map<number, string>>>> {
  const names = (await readdir(folder)).filter(isPagemapName).toSorted();
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await contentOf(folder, name)] as const)));
}

test("a generation made over pre-dumps holds every page of its freeze, stands on its true parent alone, and changes nothing below", async () => {
  await fc.assert(
    fc.asyncProperty(storiesOf(3, 5), fc.boolean(), async (told, onParent) => {
      const story = { ...told, tracked: true };
      const vault = await emptyVault();
      const last = story.dumps.length - 1;
      const first = onParent ? 1 : 0;
      if (onParent) {
        const base = await vault.prepare(lj, 1);
        await writeDump(base.staging, fullDump(story, 0));
        await seal(vault, base, base, null, story);
      }
      const parent = onParent ? 1 : null;
      const before = onParent ? await digestsOf(vault.generationFolder(lj, 1)) : {};

      const making = await vault.prepare(lj, 2);
      for (let k = first; k < last; k++) {
        const folder = await vault.preDumpFolder(making, k - first + 1);
        await writeDump(folder, k === 0 ? fullDump(story, 0).filter(({ name }) => !name.includes("shmem")) : preDump(story, k));
      }
      await writeDump(making.staging, trackedDump(story, last));
      const whole = await vault.foldPreDumps(making, last - first, parent);
      await seal(vault, making, whole, parent, story);

      const made = vault.generationFolder(lj, 2);
      const control = path.join(root, "control");
      await writeDump(control, fullDump(story, last));
      const [found, wanted] = [await contents(made), await contents(control)];
      expect(Object.keys(found)).toEqual(Object.keys(wanted));
      for (const [name, pages] of Object.entries(wanted)) {
        // Pages of shared memory that are full of zeros may be left out.
        for (const [page, digest] of pages) if (!name.includes("shmem")) expect(found[name]?.get(page)).toBe(digest);
        for (const [page, digest] of found[name] ?? []) expect(pages.get(page)).toBe(digest);
      }
      expect(await vault.verifyChain(lj, 2, ignore)).toEqual([]);
      if (existsSync(path.join(made, "parent"))) expect(await readlink(path.join(made, "parent"))).toBe("../1");
      expect((await readdir(path.dirname(made))).toSorted()).toEqual(onParent ? ["1", "2"] : ["2"]);
      if (onParent) expect(await digestsOf(vault.generationFolder(lj, 1))).toEqual(before);
    }),
    { numRuns: 100 },
  );
}, 240_000);

test("each page comes from where it was last written: the dump, any of its pre-dumps, or the parent", async () => {
  const vault = await emptyVault();
  const memory = (text: string): Memory => {
    const flags = (letter: string): number => (letter === "." ? IN_PARENT : PRESENT);
    const entries = Array.from(text, (letter, at) => ({ page: BASE + at, pages: 1, flags: flags(letter) }));
    const bytes = Buffer.concat(Array.from(text.replaceAll(".", ""), (letter) => aPage(letter, letter)));
    return { name: "pagemap-300.img", pagesId: 1, entries, bytes };
  };
  const base = await vault.prepare(lj, 1);
  await writeDump(base.staging, [memory("aaaa")]);
  await seal(vault, base, base, null, tracked);
  const making = await vault.prepare(lj, 2);
  await writeDump(await vault.preDumpFolder(making, 1), [memory(".bbb")]);
  await writeDump(await vault.preDumpFolder(making, 2), [memory("..cc")]);
  await writeDump(making.staging, [memory("...d")]);
  await seal(vault, making, await vault.foldPreDumps(making, 2, 1), 1, tracked);
  const control = path.join(root, "control");
  await writeDump(control, [memory("abcd")]);
  expect(await contents(vault.generationFolder(lj, 2))).toEqual(await contents(control));
  expect((await entriesIn(vault.generationFolder(lj, 2), "pagemap-300.img")).map(({ flags }) => flags)).toEqual([
    IN_PARENT,
    PRESENT,
  ]);
});

test("where staging is another file system the folded dump lies in the vault, and staging holds no page twice", async () => {
  const staging = await mkdtemp(path.join(tmpdir(), "holdfast-staging-"));
  try {
    const vault = await emptyVault(staging);
    expect(await vault.stagingPlace()).toMatchObject({ folder: staging, freeBytes: expect.any(Number) });
    for (const [number, where] of [
      [1, "staging"],
      [2, "vault"],
    ] as const) {
      const making = await vault.prepare(lj, number, where);
      expect(making.staging.startsWith(staging)).toBe(where === "staging");
      const [story] = fc.sample(storiesOf(3, 3), { numRuns: 1, seed: 9 });
      if (!story) throw new Error("no story");
      const told = { ...story, tracked: true };
      await writeDump(await vault.preDumpFolder(making, 1), preDump({ ...told, tracked: false }, 1));
      await writeDump(making.staging, trackedDump(told, 2));
      const whole = await vault.foldPreDumps(making, 1, null);
      expect(await readdir(making.staging)).toEqual([]);
      await seal(vault, making, whole, null, told);
      expect(await vault.verifyChain(lj, number, ignore)).toEqual([]);
    }
    const [one, other] = [await vault.prepare(lj, 3, "staging"), await vault.prepare(lj, 4, "vault")];
    expect((await vault.sweepLeftovers(lj)).length).toBe(4);
    expect([existsSync(one.staging), existsSync(other.staging)]).toEqual([false, false]);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
});

test("a page left to pre-dumps that none of them holds is refused, not sealed", async () => {
  const vault = await emptyVault();
  const making = await vault.prepare(lj, 1);
  const [story] = fc.sample(
    storiesOf(3, 3).filter((one) =>
      trackedDump({ ...one, tracked: true }, 2).some(({ entries }) => entries.some(({ flags }) => flags === 1)),
    ),
    { numRuns: 1, seed: 5 },
  );
  if (!story) throw new Error("no story");
  await writeDump(await vault.preDumpFolder(making, 1), []);
  await writeDump(making.staging, trackedDump({ ...story, tracked: true }, 2));
  await expect(vault.foldPreDumps(making, 1, null)).rejects.toMatchObject({ code: "image-malformed" });
});

test("pre-dumps are swept after a crash at any point, and a discard takes them away", async () => {
  const vault = await emptyVault();
  const making = await vault.prepare(lj, 3);
  await writeDump(await vault.preDumpFolder(making, 1), []);
  await writeDump(await vault.preDumpFolder(making, 2), []);
  await vault.discard(making);
  const folder = path.dirname(vault.generationFolder(lj, 3));
  expect(await readdir(folder)).toEqual([]);
  const again = await vault.prepare(lj, 4);
  await writeDump(await vault.preDumpFolder(again, 1), []);
  await writeDump(await vault.preDumpFolder(again, 0), []);
  expect((await vault.sweepLeftovers(lj)).toSorted()).toEqual([".making-4", ".pre-4-0", ".pre-4-1", "lj-4"]);
  expect(await readdir(folder)).toEqual([]);
});
