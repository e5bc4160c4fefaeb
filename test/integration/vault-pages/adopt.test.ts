import { createHash } from "node:crypto";
import { appendFile, chmod, mkdir, readdir, readFile, readlink, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseJobName } from "../../../src/domain/name.ts";
import { compose, type Engine } from "../../../src/compose.ts";
import { importPoints, type ImportReport } from "../../../src/engine/import-points.ts";
import { points, status } from "../../../src/engine/queries.ts";
import { rebuild } from "../../../src/engine/rebuild.ts";
import { isPagemapName } from "../../../src/images/image-names.ts";
import { readSettings } from "../../../src/settings/read.ts";
import { aJob } from "../../unit/vault/specimens.ts";
import { dumpByHand, letters, punch, toPreDump } from "./hand-made.ts";
import { BLANK, contentOf, ignore, scratchFolder } from "./image-folders.ts";
import { storiesOf, trackedDump } from "./stories.ts";

const melt = parseJobName("melt");
const job = aJob(melt, { origin: "adopted", schedule: null });
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

const hand = (...parts: readonly string[]): string => path.join(root, "hand", ...parts);
const adopt = (folder = hand()): Promise<ImportReport> =>
  importPoints(engine.ports, job, { folder, restoreOptions: ["--shell-job"] });
const inVault = (number: number): string => engine.ports.vault.generationFolder(melt, number);

/** Every page of every memory, found by the links on the disk. */
async function pagesIn(folder: string): Promise<Readonly<Record<string, Map<number, string>>>> {
  const names = (await readdir(folder)).filter(isPagemapName).toSorted();
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await contentOf(folder, name)] as const)));
}

/** All there is to see of a folder but the times of reading. */
async function look(folder: string): Promise<readonly string[]> {
  const seen: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const at = path.join(entry.parentPath, entry.name);
    const { mtimeMs, ctimeMs, blocks, mode } = await stat(at);
    const content = entry.isFile()
      ? createHash("sha256")
          .update(await readFile(at))
          .digest("hex")
      : "";
    seen.push(`${at} ${mode} ${mtimeMs} ${ctimeMs} ${blocks} ${content} ${entry.isSymbolicLink() ? await readlink(at) : ""}`);
  }
  return seen.toSorted();
}

test("whatever was dumped by hand and punched, each dump that still has all its pages is a point with exactly these, and no other is", async () => {
  const marks = fc.array(fc.record({ preDump: fc.boolean(), lost: fc.array(fc.nat(12), { maxLength: 2 }) }), {
    minLength: 5,
    maxLength: 5,
  });
  await fc.assert(
    fc.asyncProperty(storiesOf(2, 5), marks, async (story, told) => {
      await rm(path.join(root, "hand"), { recursive: true, force: true });
      if (await engine.ports.catalogue.job(melt)) {
        await engine.ports.catalogue.removeJob(melt);
        await engine.ports.vault.removeJob(melt);
      }
      const whole = new Map<number, Awaited<ReturnType<typeof pagesIn>>>();
      for (let k = 0; k < story.dumps.length; k++) {
        const memories = trackedDump(story, k);
        await dumpByHand(hand(String(k + 1)), memories, k === 0 ? null : String(k));
        whole.set(k + 1, await pagesIn(hand(String(k + 1))));
      }
      const preDumps: string[] = [];
      for (let k = 0; k < story.dumps.length; k++) {
        const memories = trackedDump(story, k);
        const folder = hand(String(k + 1));
        const { lost = [], preDump = false } = told[k] ?? {};
        for (const { name, entries } of memories) {
          const pages = entries.flatMap(({ page, pages: count }) => Array.from({ length: count }, (_, i) => page + i));
          // A hole where zeros were reads the same, and is refused as any other: nobody can tell.
          const isZero = (page: number): boolean => whole.get(k + 1)?.[name]?.get(page) === BLANK;
          const gone = new Set(lost.flatMap((at) => pages[at] ?? []).filter((page) => !isZero(page)));
          if (gone.size > 0) await punch(folder, name, (page) => gone.has(page));
        }
        if (!preDump || memories.length === 0) continue;
        await toPreDump(folder, memories);
        preDumps.push(String(k + 1));
      }
      const sound = [...whole.keys()].filter((number) => !preDumps.includes(String(number)));
      const expected: number[] = [];
      for (const number of sound) {
        const now = await pagesIn(hand(String(number)));
        const before = whole.get(number) ?? {};
        if (
          Object.entries(before).every(([name, pages]) => [...pages].every(([page, content]) => now[name]?.get(page) === content))
        )
          expected.push(number);
      }
      const before = await look(hand());
      const report = await adopt().catch((error: unknown) => {
        expect(expected).toEqual([]);
        expect(error).toMatchObject({ code: "nothing-to-adopt" });
        return null;
      });
      expect(await look(hand())).toEqual(before);
      if (report === null) return;
      expect(report.points.map(({ generation }) => generation.number)).toEqual(expected);
      expect(report.preDumps.toSorted()).toEqual(preDumps.toSorted());
      expect(report.refused.map(({ name }) => Number(name)).toSorted((a, b) => a - b)).toEqual(
        sound.filter((number) => !expected.includes(number)),
      );
      for (const number of expected) {
        expect(await pagesIn(inVault(number))).toEqual(whole.get(number));
        expect(await engine.ports.vault.verifyChain(melt, number, ignore)).toEqual([]);
      }
    }),
    { numRuns: 25 },
  );
}, 120_000);

describe("a chain made by hand", () => {
  beforeEach(async () => {
    await dumpByHand(hand("1"), [letters("abcd")], null);
    await dumpByHand(hand("2"), [letters(" B  ")], "1");
    await dumpByHand(hand("3"), [letters("  C ")], "2");
  });

  test("becomes a crashed job, whose points say what is not known of them, and stay when the catalogue is built anew", async () => {
    const { points: adopted } = await adopt();
    expect(adopted.map(({ generation }) => [generation.number, generation.kind, generation.parent])).toEqual([
      [1, "base", null],
      [2, "increment", 1],
      [3, "increment", 2],
    ]);
    const told = await engine.ports.vault.manifest(melt, 3);
    expect(told).toMatchObject({
      restoreOptions: ["--shell-job"],
      findings: ["adopted: the files were not captured"],
      host: { criu: "unknown" },
    });
    expect(told.takenAt).toBe(Math.floor((await stat(hand("3", "inventory.img"))).mtimeMs));
    expect(await status(engine.ports, melt)).toMatchObject([
      { state: "crashed", points: 3, nextDue: null, run: { number: 1, timeline: 1 } },
    ]);
    const listed = await points(engine.ports, melt);
    await rebuild(engine.ports);
    expect(await points(engine.ports, melt)).toEqual(listed);
    expect(await status(engine.ports, melt)).toMatchObject([{ state: "crashed", points: 3 }]);
  });

  test("can be one directory, which then takes over what it reads from others", async () => {
    const { points: adopted } = await adopt(hand("3"));
    expect(adopted).toMatchObject([{ name: ".", generation: { number: 1, kind: "base", parent: null } }]);
    expect(await pagesIn(inVault(1))).toEqual(await pagesIn(hand("3")));
    expect(await readdir(inVault(1))).not.toContain("parent");
  });

  test("that `criu dedup` punched gives its newest point, and says why the older ones are none", async () => {
    await punch(hand("1"), "pagemap-300.img", (page) => page % 16 === 1 || page % 16 === 2);
    await punch(hand("2"), "pagemap-300.img", () => false);
    const { points: adopted, refused } = await adopt();
    expect(adopted.map(({ generation }) => [generation.number, generation.kind])).toEqual([[3, "base"]]);
    expect(refused).toEqual([
      { name: "1", why: expect.stringMatching(/^2 of its pages lie in holes of pages-1\.img: `criu dedup`/) },
      { name: "2", why: expect.stringMatching(/^1 of its pages lie in holes of .*\/1\/pages-1\.img/) },
    ]);
    expect(await pagesIn(inVault(3))).toEqual(await pagesIn(hand("3")));
  });

  const offences: readonly [string, () => Promise<unknown>, RegExp][] = [
    ["cut pages file", () => truncate(hand("2", "pages-1.img"), 100), /pages-1\.img is not a CRIU image.*it has 100/],
    ["pages file with more than its map tells", () => appendFile(hand("2", "pages-1.img"), "x"), /it has 4097/],
    ["pagemap of noise", () => writeFile(hand("2", "pagemap-300.img"), "noise"), /pagemap-300\.img/],
    ["missing inventory", () => rm(hand("2", "inventory.img")), /inventory\.img.*missing/],
    ["empty inventory, as a full disk leaves it", () => writeFile(hand("2", "inventory.img"), ""), /inventory\.img.*empty/],
    ["missing core image", () => rm(hand("2", "core-301.img")), /core-301\.img.*missing/],
    ["missing pagemap", () => rm(hand("2", "pagemap-300.img")), /pagemap-300\.img.*missing/],
    ["page outside all memory", () => writeFile(hand("2", "mm-300.img"), "x"), /mm-300\.img/],
    [
      "image that is a link",
      async () => {
        await rm(hand("2", "core-301.img"));
        await symlink("core-300.img", hand("2", "core-301.img"));
      },
      /no plain file/,
    ],
    [
      "parent that is gone",
      async () => {
        await rm(hand("2", "parent"));
        await symlink("../gone", hand("2", "parent"));
      },
      /leads to \.\.\/gone/,
    ],
    ["missing parent link", () => rm(hand("2", "parent")), /there is no parent/],
    [
      "parent that is itself",
      async () => {
        await rm(hand("2", "parent"));
        await symlink("../2", hand("2", "parent"));
      },
      /circle/,
    ],
  ];
  test.each(offences)("with a %s is taken without it and what reads its pages", async (_, offend, why) => {
    await offend();
    const report = await adopt();
    expect(report.points.map(({ generation }) => generation.number)).toEqual([1]);
    expect(report.refused.map(({ name }) => name)).toEqual(["2", "3"]);
    expect(report.refused[0]?.why).toMatch(why);
    expect(await pagesIn(inVault(1))).toEqual(await pagesIn(hand("1")));
  });

  test("does not take over a job that is there", async () => {
    await adopt();
    const before = await points(engine.ports, melt);
    await expect(adopt()).rejects.toMatchObject({ code: "name-taken" });
    expect(await points(engine.ports, melt)).toEqual(before);
  });

  test("leaves nothing when it cannot be brought in whole", async () => {
    const { vault } = engine.ports;
    const broken = {
      ...engine.ports,
      vault: {
        ...vault,
        bringIn: (...words: Parameters<typeof vault.bringIn>) =>
          words[0].number === 3 ? Promise.reject(new Error("cut")) : vault.bringIn(...words),
      },
    };
    await expect(importPoints(broken, job, { folder: hand(), restoreOptions: [] })).rejects.toThrow("cut");
    expect(await vault.jobNames()).toEqual([]);
    expect(await engine.ports.catalogue.jobs()).toEqual([]);
    expect((await adopt()).points).toHaveLength(3);
  });
});

test("a folder with nothing to adopt is refused, whatever it is", async () => {
  await mkdir(hand("notes"), { recursive: true });
  await writeFile(hand("file"), "");
  for (const [folder, why] of [
    [hand("gone"), "it is not there"],
    [hand("file"), "it is no folder"],
    [hand(), "there are no CRIU images in it, nor in the folders directly in it"],
  ] as const) {
    await expect(adopt(folder)).rejects.toMatchObject({
      code: "nothing-to-adopt",
      message: `nothing in ${folder} can be brought back: ${why}`,
    });
  }
  await dumpByHand(hand("1"), [letters("ab")], null);
  await toPreDump(hand("1"), [letters("ab")]);
  await expect(adopt()).rejects.toMatchObject({ message: `nothing in ${hand()} can be brought back: there are only pre-dumps` });
  expect(await engine.ports.vault.jobNames()).toEqual([]);
});

test("files that others could write are told of", async () => {
  await dumpByHand(hand("1"), [letters("ab")], null);
  await chmod(hand("1", "core-300.img"), 0o666);
  expect((await adopt()).cautions).toContainEqual({ name: "1", what: expect.stringContaining("others could write its files") });
});
