import path from "node:path";
import { zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import type { Fault } from "../../../src/faults/fault.ts";
import { readKey } from "../../../src/vault/identity.ts";
import { pack, unpack } from "../../../src/vault/pack.ts";
import { PACK, vaultPaths } from "../../../src/vault/paths.ts";
import { readTar } from "../../../src/vault/tar-read.ts";
import {
  chainOnDisk,
  everythingLasts,
  folderOf,
  letters,
  namesLast,
  nothingLasts,
  openOn,
  random,
  readBack,
  root,
} from "./chain-on-disk.ts";
import { packHandsOn } from "./pack-hands.ts";
import { type Pick, PowerCut, type SimDisk } from "./sim-disk.ts";
import { lj } from "./specimens.ts";

const steps: readonly { readonly name: string; readonly act: (disk: SimDisk) => Promise<unknown> }[] = [
  { name: "packing 2", act: (disk) => packOn(disk, 2) },
  { name: "packing 1", act: (disk) => packOn(disk, 1) },
  { name: "unpacking 2", act: (disk) => unpackOn(disk, 2) },
];

const modes = [
  { mode: "names can be exchanged", exchanges: true },
  { mode: "they cannot", exchanges: false },
];

describe.each(modes)("where $mode,", ({ exchanges }) => {
  const before: SimDisk[] = [];
  /** Which generations are packed, before step k. */
  const packed: string[] = [];
  let content = "";

  beforeAll(async () => {
    const disk = await chainOnDisk();
    disk.exchanges = exchanges;
    content = await readBack(disk);
    for (const step of steps) {
      before.push(disk.clone());
      packed.push(await packedOn(disk));
      await step.act(disk);
    }
    packed.push(await packedOn(disk));
  });

  const diskBefore = (at: number): SimDisk => (before[at] as SimDisk).clone();

  test("the steps pack and unpack, and each again changes nothing", async () => {
    expect(packed).toEqual(["", "2", "1 2", "1"]);
    for (const [at, again] of [[1, packOn(diskBefore(1), 2)] as const, [0, unpackOn(diskBefore(0), 2)] as const])
      await expect(again, String(at)).resolves.toBeUndefined();
    const disk = diskBefore(1);
    disk.interrupt({ at: -1, how: "power-cut" });
    await packOn(disk, 2);
    await unpackOn(disk, 3);
    expect(disk.calls).toBe(0);
  });

  async function cutAndCheck(at: number, n: number, picks: readonly Pick[]): Promise<boolean> {
    const disk = diskBefore(at);
    disk.interrupt({ at: n, how: "power-cut" });
    const cut = await (steps[at] as (typeof steps)[number]).act(disk).then(
      () => false,
      (error: unknown) => {
        if (!(error instanceof PowerCut)) throw error;
        return true;
      },
    );
    const allowed = cut ? [packed[at], packed[at + 1]] : [packed[at + 1]];
    for (const pick of picks) {
      const up = disk.crashed(pick);
      // Where names cannot be exchanged, only after the sweep.
      if (exchanges || !cut) expect(allowed).toContain(await wholeOn(up));
      await (await openOn(up)).sweepLeftovers(lj);
      const swept = await wholeOn(up);
      expect(allowed).toContain(swept);
      expect(up.everything().filter((name) => /\/\.(folding|old|gone|making)-/.test(name))).toEqual([]);
      expect(await wholeOn(up.crashed(nothingLasts))).toBe(swept);
    }
    return cut;
  }

  /** Every point is there and reads as ever, from its files or its pack; gives which are packed. */
  async function wholeOn(disk: SimDisk): Promise<string> {
    const found = await packedOn(disk);
    expect(await readBack(await spread(disk))).toBe(content);
    return found;
  }

  describe.each(steps.map(({ name }, at) => ({ name, at })))("when the power goes during $name", ({ at }) => {
    test("after any n-th call, every point is there, as files or as a pack, page for page", async () => {
      for (let n = 0, cut = true; cut; n++) cut = await cutAndCheck(at, n, [nothingLasts, namesLast, everythingLasts]);
    });

    test("whatever subset of the unsynced names and bytes lasts", async () => {
      const disk = diskBefore(at);
      disk.interrupt({ at: -1, how: "power-cut" });
      await (steps[at] as (typeof steps)[number]).act(disk);
      await fc.assert(
        fc.asyncProperty(fc.nat(disk.calls), fc.infiniteStream(fc.nat(11)), async (n, choices) => {
          await cutAndCheck(at, n, [(count) => choices.next().value % count]);
        }),
        { numRuns: 60 },
      );
    });
  });

  test.each([0, 2])(
    "a packing that is refused at any call says so, and every point reads as before or after (step %i)",
    async (at) => {
      for (let n = 0; ; n++) {
        const disk = diskBefore(at);
        disk.interrupt({ at: n, how: { errno: "ENOSPC" } });
        const outcome = await (steps[at] as (typeof steps)[number]).act(disk).then(
          () => "done",
          (error: NodeJS.ErrnoException) => error.code,
        );
        const over = disk.calls <= n;
        disk.interrupt({ at: -1, how: "power-cut" });
        expect(["ENOSPC", "done"]).toContain(outcome);
        expect([packed[at], packed[at + 1]]).toContain(await wholeOn(disk));
        if (over) return;
      }
    },
  );

  test.each(["file", "folder"] as const)("a packing that never syncs a %s is found out", async (kind) => {
    let broken = 0;
    for (const pick of [nothingLasts, namesLast, everythingLasts]) {
      const disk = diskBefore(0);
      disk.forgets = kind;
      await packOn(disk, 2);
      if ((await wholeOn(disk.crashed(pick)).catch(() => "unreadable")) !== packed[1]) broken++;
    }
    expect(broken).toBeGreaterThan(0);
  });
});

test("damage is not packed away: it is told, and the generation stays as it is", async () => {
  const disk = await chainOnDisk();
  const file = `${folderOf(3)}/pages-1.img`;
  const bytes = Buffer.from(await disk.read(file));
  bytes[7] = (bytes[7] ?? 0) ^ 1;
  disk.put(file, bytes);
  const refused = await packOn(disk, 3).catch((error: Fault) => error);
  expect(refused).toMatchObject({
    code: "point-damaged",
    message: expect.stringContaining("point 3 of lj is damaged: pages-1.img"),
  });
  expect(await packedOn(disk)).toBe("");
  expect(disk.everything().filter((name) => name.includes("/.folding-"))).toEqual([]);
});

test("a file that the manifest does not name is not lost in a packing: it is told", async () => {
  const disk = await chainOnDisk();
  disk.put(`${folderOf(2)}/notes.txt`, Buffer.from("mine"));
  await expect(packOn(disk, 2)).rejects.toMatchObject({ code: "point-damaged" });
  expect((await disk.read(`${folderOf(2)}/notes.txt`)).toString()).toBe("mine");
});

test("a pack that does not read back as it was written never takes the place of the files", async () => {
  const disk = await chainOnDisk();
  const hands = packHandsOn(disk);
  const broken = {
    ...hands,
    checkPack: async () => [{ number: 2, file: "pages-1.img", why: "its content is not what was sealed" }],
  };
  const room = { disk, paths: vaultPaths(root, null, null), random, now: () => 77 };
  const work = pack(room, await readKey(room), { job: lj, number: 2, holes: () => [] }, () => undefined, broken);
  await expect(work).rejects.toMatchObject({ code: "io-failed" });
  expect(await packedOn(disk)).toBe("");
  expect(disk.everything().filter((name) => name.includes("/.folding-"))).toEqual([]);
});

async function packOn(disk: SimDisk, number: number): Promise<void> {
  const room = { disk, paths: vaultPaths(root, null, null), random, now: () => 77 };
  return pack(room, await readKey(room), { job: lj, number, holes: () => [] }, () => undefined, packHandsOn(disk));
}

async function unpackOn(disk: SimDisk, number: number): Promise<void> {
  const room = { disk, paths: vaultPaths(root, null, null), random, now: () => 77 };
  return unpack(room, await readKey(room), { job: lj, number }, () => undefined, packHandsOn(disk));
}

/** Numbers of those that are packed: where manifest and directory do not agree, it rejects. */
async function packedOn(disk: SimDisk): Promise<string> {
  const vault = await openOn(disk);
  const found: number[] = [];
  for (const number of await vault.sealed(lj)) {
    const names = (await disk.list(folderOf(number))).map(({ name }) => name).toSorted();
    const isPacked = (await vault.manifest(lj, number)).packed !== undefined;
    if (isPacked) expect(names).toEqual(["holdfast.json", PACK]);
    else expect(names).not.toContain(PACK);
    if (isPacked) found.push(number);
  }
  expect(await vault.sealed(lj)).toEqual(Object.keys(letters).map(Number));
  return found.join(" ");
}

/** A disk on which every pack is unpacked, without any of the code that does it in the product but the reader of an archive. */
async function spread(disk: SimDisk): Promise<SimDisk> {
  const open = disk.clone();
  for (const number of Object.keys(letters).map(Number)) {
    const bytes = await open.read(path.join(folderOf(number), PACK)).catch((error: unknown) => {
      if (error instanceof PowerCut) throw error;
      return null;
    });
    if (bytes === null) continue;
    async function* source(): AsyncGenerator<Buffer, void> {
      yield zstdDecompressSync(bytes as Buffer);
    }
    for await (const entry of readTar(source(), PACK)) {
      const at = path.join(folderOf(number), entry.name);
      if (entry.type === "folder") open.putFolder(at);
      else if (entry.type === "link") open.putLink(at, entry.target);
      else {
        const content = Buffer.alloc(entry.size);
        for await (const part of entry.parts) part.bytes.copy(content, part.at);
        open.put(at, content);
      }
    }
  }
  return open;
}
