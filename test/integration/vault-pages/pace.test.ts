import { randomBytes } from "node:crypto";
import { constants, copyFile, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Pace, Vault } from "../../../src/engine/ports.ts";
import { Fault } from "../../../src/faults/fault.ts";
import { PAGE, PRESENT } from "../../../src/images/pagemap.ts";
import { machineDisk } from "../../../src/vault/machine-disk.ts";
import { openVault } from "../../../src/vault/vault.ts";
import { BASE } from "../../unit/images/specimens.ts";
import { aManifest, lj } from "../../unit/vault/specimens.ts";
import { ignore, scratchFolder, writeDump } from "./image-folders.ts";

const pages = 2048;
let [root, asked]: [string, number[]] = ["", []];
const pace: Pace = async (bytes) => void asked.push(bytes);
const sum = (): number => asked.reduce((before, bytes) => before + bytes, 0);

beforeEach(async () => {
  [root, asked] = [await scratchFolder(), []];
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** `B1 i2 i3`: 8 MiB, of which each increment has changed the half: 2 the first, 3 the second. */
async function chain(disk = machineDisk(null)): Promise<Vault> {
  const random = (): string => randomBytes(16).toString("hex");
  const vault = await openVault({ path: path.join(root, "vault"), stagingPath: null, keyPath: null, random, now: () => 77 }, disk);
  const bytes = randomBytes(pages * PAGE);
  for (const number of [1, 2, 3]) {
    if (number > 1) bytes.set(randomBytes((pages / 2) * PAGE), number === 2 ? 0 : (pages / 2) * PAGE);
    const making = await vault.prepare(lj, number);
    await writeDump(making.staging, [
      { name: "pagemap-300.img", pagesId: 1, entries: [{ page: BASE, pages, flags: PRESENT }], bytes },
    ]);
    const parent = number === 1 ? null : number - 1;
    const { digests, pagesKept } = await vault.thin(making, parent, ignore);
    const stands = {
      kind: parent === null ? "base" : "increment",
      parent: parent === null ? null : { number: parent, id: `id-${parent}` },
    } as const;
    await vault.seal(
      making,
      aManifest(number, { ...stands, pages: { scanned: 0, written: 0, skipped: 0, kept: pagesKept } }),
      digests,
    );
  }
  return vault;
}

test("a fold asks for every byte of pages that it reads, once, and for every one that it writes", async () => {
  const vault = await chain();
  let total = 0;
  await vault.fold(lj, 3, 1, (_, of) => (total = of), pace);
  expect(sum()).toBe(total);
  // Half of its pages are its own, half are taken over: so much is read, and as much written.
  expect(total).toBeGreaterThan(2 * pages * PAGE);
  expect(total).toBeLessThan(2.1 * pages * PAGE);
  expect(Math.max(...asked)).toBeLessThanOrEqual(2 << 20);
});

test("a reading back asks for every byte of every file", async () => {
  const vault = await chain();
  let total = 0;
  expect((await vault.verifyChains(lj, [3], { share: 1, seed: "" }, (_, of) => (total = of), pace)).damage).toEqual([]);
  expect(sum()).toBe(total);
  expect(total).toBeGreaterThan(2 * pages * PAGE);
});

test.each([1, 3, 5, 8])("a fold that is ended at block %i leaves the generation as it was, and nothing beside it", async (last) => {
  const vault = await chain();
  const folder = vault.generationFolder(lj, 3);
  const before = [await readFile(path.join(folder, "holdfast.json")), (await stat(folder)).ino];
  const ended: Pace = async (bytes) => {
    await pace(bytes);
    if (asked.length >= last) throw Fault.of("service-stopping", {});
  };
  await expect(vault.fold(lj, 3, 1, ignore, ended)).rejects.toMatchObject({ code: "service-stopping" });
  expect([await readFile(path.join(folder, "holdfast.json")), (await stat(folder)).ino]).toEqual(before);
  expect((await readdir(path.dirname(folder))).toSorted()).toEqual(["1", "2", "3"]);
  expect(await vault.verifyChain(lj, 3, ignore)).toEqual([]);
});

test("where there are no hard links, what is copied in their place is asked for too, unless no byte is moved", async () => {
  const disk = machineDisk(null);
  const refusing: typeof disk = {
    ...disk,
    async link(file, second) {
      if (second.includes(".folding-")) throw Object.assign(new Error("no links here"), { errno: -1, code: "EPERM" });
      await disk.link(file, second);
    },
  };
  const vault = await chain(refusing);
  const inode = async (): Promise<number> => (await stat(path.join(vault.generationFolder(lj, 3), "pstree.img"))).ino;
  const [before, { size }] = [await inode(), await stat(path.join(vault.generationFolder(lj, 3), "pstree.img"))];
  await vault.fold(lj, 3, 1, ignore, pace);
  expect(await inode()).not.toBe(before);
  expect(asked.filter((bytes) => bytes === size).length === 2 || (await canShareBytes())).toBe(true);
  expect(await vault.verifyChain(lj, 3, ignore)).toEqual([]);
});

/** A file system with reflinks gives a second file without moving a byte. */
async function canShareBytes(): Promise<boolean> {
  await writeFile(path.join(root, "one"), "x");
  const done = copyFile(path.join(root, "one"), path.join(root, "two"), constants.COPYFILE_FICLONE_FORCE);
  return done.then(
    () => true,
    () => false,
  );
}
