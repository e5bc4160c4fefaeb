import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { compose, type Engine, rebuildCatalogue } from "../../../src/compose.ts";
import { parseJobName } from "../../../src/domain/name.ts";
import { dedup } from "../../../src/engine/dedup.ts";
import { diskUse } from "../../../src/engine/disk-use.ts";
import { foldOnto } from "../../../src/engine/expire.ts";
import { exportPoint } from "../../../src/engine/export-point.ts";
import { findJob } from "../../../src/engine/find-job.ts";
import { rowOf } from "../../../src/engine/generation-of.ts";
import { pack } from "../../../src/engine/pack.ts";
import { points } from "../../../src/engine/queries.ts";
import { reconcile } from "../../../src/engine/reconcile.ts";
import { unpack } from "../../../src/engine/unpack.ts";
import { verify } from "../../../src/engine/verify.ts";
import { withImages } from "../../../src/engine/with-images.ts";
import { isPagemapName } from "../../../src/images/image-names.ts";
import { readSettings, type Settings } from "../../../src/settings/read.ts";
import { aJob, aManifest, aRun } from "../../unit/vault/specimens.ts";
import { letters } from "./hand-made.ts";
import { contentOf, ignore, type Memory, scratchFolder, writeDump } from "./image-folders.ts";
import { storiesOf, trackedDump } from "./stories.ts";

const melt = parseJobName("melt");
const PACK = "pack.tar.zst";
let root: string;
let settings: Settings;
let engine: Engine;

beforeEach(async () => {
  root = await scratchFolder();
  settings = readSettings({ file: null, env: {}, flags: { "vault.path": path.join(root, "vault") } });
  engine = await compose(settings);
});
afterEach(async () => {
  await engine.close();
  await rm(root, { recursive: true, force: true });
});

/** The dumps of a life as points 1, 2, ... of a job that was stopped since, each with a captured file, each on the one before. */
async function lifeOf(dumps: readonly (readonly Memory[])[]): Promise<void> {
  const { vault, catalogue } = engine.ports;
  if (await catalogue.job(melt)) {
    await catalogue.removeJob(melt);
    await vault.removeJob(melt);
  }
  const job = aJob(melt, { schedule: null, intent: "stopped" });
  await vault.writeJob(job);
  await catalogue.putJob(job);
  const run = aRun(1, { endedAt: 9, ending: { type: "exited", status: 0 } });
  await vault.writeRun(melt, run);
  await catalogue.putRun(melt, run);
  for (const [k, memories] of dumps.entries()) {
    const number = k + 1;
    const making = await vault.prepare(melt, number);
    await writeDump(making.staging, memories);
    const { digests, pagesKept } = await vault.thin(making, k === 0 ? null : k, ignore);
    await mkdir(path.join(making.folder, "files"));
    const content = Buffer.from(`captured by ${number}`.repeat(100));
    await writeFile(path.join(making.folder, "files/1"), content);
    const stands = { kind: k === 0 ? "base" : "increment", parent: k === 0 ? null : { number: k, id: `id-${k}` } } as const;
    const pages = { scanned: 0, written: 0, skipped: 0, kept: pagesKept };
    const sha256 = createHash("sha256").update(content).digest("hex");
    await vault.seal(making, aManifest(number, { job: melt, ...stands, pages }), {
      ...digests,
      "files/1": { bytes: content.length, sha256 },
    });
    await catalogue.putGeneration(rowOf(await vault.manifest(melt, number), {}));
  }
}

const folderOf = (number: number): string => engine.ports.vault.generationFolder(melt, number);

/** Every page of every memory of the points, found by the links on the disk, and every other file. */
async function contentsOf(folder: string): Promise<unknown> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => !name.startsWith("parent")).toSorted();
  const pages = await Promise.all(
    names.filter(isPagemapName).map(async (name) => [name, [...(await contentOf(folder, name))]] as const),
  );
  const files: (readonly [string, string])[] = [];
  for (const name of names) {
    const at = path.join(folder, name);
    if (name !== "holdfast.json" && (await stat(at)).isFile())
      files.push([
        name,
        createHash("sha256")
          .update(await readFile(at))
          .digest("hex"),
      ]);
  }
  return { pages, files };
}

async function everything(): Promise<readonly unknown[]> {
  const numbers = await engine.ports.vault.sealed(melt);
  return Promise.all(numbers.map(async (number) => [number, await contentsOf(folderOf(number))]));
}

async function packThose(...numbers: readonly number[]): Promise<void> {
  for (const point of numbers) await pack(engine.ports, melt, { point, after: 0 }, "perform");
}

const damageOf = async (number: number): Promise<unknown> => engine.ports.vault.verifyChain(melt, number, ignore);

const four = [[letters("abcd")], [letters(" B  ")], [letters("  C ")], [letters("   D")]];

test("whatever is packed and unpacked again, each point reads back whole in between, and every file is the very same afterwards", async () => {
  const packed = fc.subarray([1, 2, 3, 4, 5]);
  await fc.assert(
    fc.asyncProperty(storiesOf(3, 5), packed, async (story, numbers) => {
      await lifeOf(story.dumps.map((_, k) => trackedDump(story, k)));
      const before = await everything();
      const there = numbers.filter((number) => number <= story.dumps.length);
      await packThose(...there);
      for (const number of await engine.ports.vault.sealed(melt)) {
        expect(await damageOf(number)).toEqual([]);
        expect((await readdir(folderOf(number))).includes(PACK)).toBe(there.includes(number));
        const seen = before.find((one) => (one as readonly [number])[0] === number);
        await withImages(engine.ports, melt, number, async (folder) => {
          expect([number, await contentsOf(folder)]).toEqual(seen);
        });
      }
      expect(existsSync(path.join(root, "vault/jobs/melt/.unpacked-1"))).toBe(false);
      expect((await unpack(engine.ports, melt, null)).unpacked).toEqual(there);
      expect(await everything()).toEqual(before);
    }),
    { numRuns: 10 },
  );
}, 120_000);

test("one shell command makes of a packed generation the directory it was", async () => {
  await lifeOf(four);
  const before = await contentsOf(folderOf(2));
  await packThose(1, 2);
  for (const number of [1, 2]) {
    const into = path.join(root, "plain", String(number));
    await mkdir(into, { recursive: true });
    execFileSync("bash", ["-c", `zstd -dc ${folderOf(number)}/${PACK} | tar -xC ${into}`]);
  }
  expect(await contentsOf(path.join(root, "plain/2"))).toEqual(before);
});

test("an export of a packed point is what it was before, to the byte, and leaves nothing beside it", async () => {
  await lifeOf(four);
  const target = { type: "point", number: 4 } as const;
  await exportPoint(engine.ports, melt, target, path.join(root, "before"));
  await packThose(1, 3, 4);
  await exportPoint(engine.ports, melt, target, path.join(root, "after"));
  expect(await contentsOf(path.join(root, "after"))).toEqual(await contentsOf(path.join(root, "before")));
  expect((await readdir(path.join(root, "vault/jobs/melt"))).filter((name) => name.startsWith("."))).toEqual([]);
});

test("points and du show the bytes that a pack takes, and those of its files; a rebuilt catalogue shows the same", async () => {
  await lifeOf(four);
  const [plain] = await points(engine.ports, melt);
  const usedBefore = await diskUse(engine.ports, melt);
  await packThose(1);
  const { size } = await stat(path.join(folderOf(1), PACK));
  const [row] = await points(engine.ports, melt);
  expect(row).toMatchObject({ number: 1, bytes: size, unpackedBytes: plain?.bytes });
  const used = await diskUse(engine.ports, melt);
  expect(used.generations.map(({ own, shared }) => [own, shared])).toEqual(
    usedBefore.generations.map(({ own, shared }, k) => [k === 0 ? size : own, shared]),
  );
  await engine.close();
  await rebuildCatalogue(settings);
  engine = await compose(settings);
  expect((await points(engine.ports, melt))[0]).toEqual(row);
});

test("a row that does not know of the pack is corrected at the next look", async () => {
  await lifeOf(four);
  await engine.ports.vault.pack(melt, 2, ignore);
  await reconcile(engine.ports, await findJob(engine.ports, melt));
  expect((await points(engine.ports, melt)).map(({ unpackedBytes }) => unpackedBytes !== undefined)).toEqual([
    false,
    true,
    false,
    false,
  ]);
});

test("what a crash left unpacked beside is swept", async () => {
  await lifeOf(four);
  await packThose(1);
  const folder = await engine.ports.vault.unpackAside(melt, 2, ignore);
  expect(existsSync(path.join(folder, "pages-1.img"))).toBe(true);
  const { repairs } = await reconcile(engine.ports, await findJob(engine.ports, melt));
  expect(repairs).toEqual(["swept .unpacked-2, unpacked for something that was cut off"]);
  expect(existsSync(folder)).toBe(false);
});

describe("what rewrites packed generations unpacks them first", () => {
  test("a fold: the one that is folded, and those that it takes pages from", async () => {
    await lifeOf(four);
    const before = await everything();
    await packThose(1, 2, 3, 4);
    await foldOnto(engine.ports, melt, 4, 1);
    expect((await points(engine.ports, melt)).map((one) => [one.number, one.parent, one.unpackedBytes !== undefined])).toEqual([
      [1, null, true],
      [2, 1, false],
      [3, 2, false],
      [4, 1, false],
    ]);
    await unpack(engine.ports, melt, null);
    const pagesOf = (all: readonly unknown[]) => all.map((one) => (one as readonly [number, { pages: unknown }])[1].pages);
    expect(pagesOf(await everything())).toEqual(pagesOf(before));
  });

  test("a dedup", async () => {
    await lifeOf([[letters("abcd")], [letters(" B  ")], [letters(" b  ")]]);
    await foldOnto(engine.ports, melt, 3, 1);
    await packThose(1, 2, 3);
    expect(await dedup(engine.ports, melt)).toMatchObject({ changed: [{ number: 3, pagesDropped: 1 }] });
    expect(await damageOf(3)).toEqual([]);
  });
});

describe("damage in a pack", () => {
  async function flip(at: number): Promise<void> {
    const file = path.join(folderOf(2), PACK);
    const bytes = await readFile(file);
    const place = at < 0 ? bytes.length + at : at;
    bytes[place] = (bytes[place] ?? 0) ^ 0x10;
    await writeFile(file, bytes);
  }

  test("is found wherever one bit of it is another, and is that generation's alone", async () => {
    await lifeOf(four);
    await packThose(2);
    const { size } = await stat(path.join(folderOf(2), PACK));
    for (const at of [0, 5, 40, Math.floor(size / 3), Math.floor(size / 2), size - 40, size - 1]) {
      await flip(at);
      const found = (await damageOf(4)) as readonly { number: number }[];
      expect(found.length, `byte ${at} of ${size}`).toBeGreaterThan(0);
      expect(found.every(({ number }) => number === 2)).toBe(true);
      await flip(at);
    }
    expect(await damageOf(4)).toEqual([]);
  });

  test("withdraws the point and what stands on it, and neither a restore nor an unpack makes files of it", async () => {
    await lifeOf(four);
    await packThose(2);
    await flip(-60);
    await expect(unpack(engine.ports, melt, 2)).rejects.toMatchObject({ code: "point-damaged" });
    expect((await points(engine.ports, melt)).map(({ number }) => number)).toEqual([1]);
    expect(await readdir(folderOf(2))).toEqual(["holdfast.json", PACK]);
    await expect(engine.ports.vault.unpackAside(melt, 3, ignore)).rejects.toMatchObject({ code: "point-damaged" });
    expect((await readdir(path.join(root, "vault/jobs/melt"))).filter((name) => name.startsWith("."))).toEqual([]);
  });

  test("is found when it is gone, cut, or another generation's", async () => {
    await lifeOf(four);
    await packThose(2, 3);
    const file = path.join(folderOf(2), PACK);
    const bytes = await readFile(file);
    for (const bad of [null, bytes.subarray(0, 100), await readFile(path.join(folderOf(3), PACK)), Buffer.alloc(bytes.length)]) {
      await rm(file, { force: true });
      if (bad !== null) await writeFile(file, bad);
      expect(((await damageOf(4)) as readonly { number: number }[]).map(({ number }) => number)).toContain(2);
    }
    await writeFile(file, bytes);
    expect(await damageOf(4)).toEqual([]);
  });

  test("a share of the bytes is read pack by pack, the small images always, and what was not read is named", async () => {
    await lifeOf(four);
    await packThose(1, 2, 3, 4);
    const found = await engine.ports.vault.verifyChains(melt, [4], { share: 0.01, seed: "s" }, ignore);
    expect(found.damage).toEqual([]);
    expect(found.read.files).toBe(1);
    expect(found.unread.map(({ file }) => file)).toEqual([PACK, PACK, PACK]);
    const report = await verify(engine.ports, melt, null, 0);
    expect(report).toMatchObject({ damage: [], read: { files: 0 } });
  });
});

test("the same files make the same pack, whoever makes it, whenever", async () => {
  await lifeOf(four);
  await packThose(2);
  const first = await readFile(path.join(folderOf(2), PACK));
  await unpack(engine.ports, melt, 2);
  await packThose(2);
  expect((await readFile(path.join(folderOf(2), PACK))).equals(first)).toBe(true);
});

test("a dry run says what would be packed and why, and changes nothing", async () => {
  await lifeOf(four);
  await packThose(2);
  const { plan, done } = await pack(engine.ports, melt, { point: null, after: 0 }, "plan");
  expect(done).toBeNull();
  expect(plan.pack.map(({ number }) => number)).toEqual([1, 3, 4]);
  expect(plan.left).toEqual([{ number: 2, why: "packed already" }]);
  expect(await readdir(folderOf(1))).not.toContain(PACK);
});
