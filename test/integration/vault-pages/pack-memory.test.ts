import { createHash } from "node:crypto";
import { mkdir, open, rm, stat } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { holesIn } from "../../../src/host/holes.ts";
import { checkPack, unpackInto } from "../../../src/vault/pack-read.ts";
import { writePack } from "../../../src/vault/pack-write.ts";
import { digestFile } from "../../../src/vault/pages-move.ts";
import { ignore, scratchFolder } from "./image-folders.ts";

let root: string;
beforeEach(async () => {
  root = await scratchFolder();
});
afterEach(() => rm(root, { recursive: true, force: true }));

const name = "pages-1.img";
const size = 2 ** 30;

/** A GiB, of which 96 MiB are there: bytes that cannot be compressed, in eight places. */
async function sparseFile(folder: string): Promise<void> {
  await mkdir(folder);
  const handle = await open(path.join(folder, name), "wx");
  await handle.truncate(size);
  for (let place = 0; place < 8; place++) {
    let block = createHash("sha512").update(String(place)).digest();
    const bytes = Buffer.alloc(12 * 2 ** 20);
    for (let at = 0; at < bytes.length; at += block.length) {
      block.copy(bytes, at);
      block = createHash("sha512").update(block).digest();
    }
    await handle.write(bytes, 0, bytes.length, (place * size) / 8 + 8192);
  }
  await handle.close();
}

test("packing, reading back and unpacking hold less than 128 MiB, whatever the size, and holes stay holes", async () => {
  const [folder, packed, unpacked] = ["1", "2", "3"].map((each) => path.join(root, each)) as [string, string, string];
  await sparseFile(folder);
  await Promise.all([mkdir(packed), mkdir(unpacked)]);
  const digests = { [name]: await digestFile(path.join(folder, name), ignore) };
  const member = { number: 1, digests, parent: null, folder };
  const before = process.resourceUsage().maxRSS;
  const done = await writePack({ member, madeAt: 0, into: path.join(packed, "pack.tar.zst"), holes: holesIn }, ignore);
  expect(done.damage).toEqual([]);
  expect(done.packed.bytes).toBeLessThan(97 * 2 ** 20);
  const inPack = { ...member, folder: packed, packed: done.packed };
  expect(await checkPack(inPack, "everything", ignore)).toEqual([]);
  expect(await unpackInto(inPack, unpacked, ignore)).toEqual([]);
  const grown = (process.resourceUsage().maxRSS - before) / 1024;
  const found = await stat(path.join(unpacked, name));
  expect(found.size).toBe(size);
  expect(found.blocks * 512).toBeLessThan(100 * 2 ** 20);
  expect(grown).toBeLessThan(128);
}, 300_000);
