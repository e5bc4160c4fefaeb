import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import type { Fault } from "../../../src/faults/fault.ts";
import { PAGE } from "../../../src/images/pagemap.ts";
import { dedup } from "../../../src/vault/dedup.ts";
import { fold } from "../../../src/vault/fold.ts";
import { readKey } from "../../../src/vault/identity.ts";
import { vaultPaths } from "../../../src/vault/paths.ts";
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
import { handsOn } from "./fold-hands.ts";
import { type Pick, PowerCut, type SimDisk } from "./sim-disk.ts";
import { lj } from "./specimens.ts";

/** Generations 1 and 3 of `B1 i2 i3 i4` expire, and then 4 is deduplicated: what the engine does, one step after the other. */
const steps: readonly { readonly name: string; readonly act: (disk: SimDisk) => Promise<unknown> }[] = [
  { name: "folding 4 onto 2", act: (disk) => foldOn(disk, 4, 2) },
  { name: "folding 2 into a base", act: (disk) => foldOn(disk, 2, null) },
  { name: "removing 3", act: async (disk) => (await openOn(disk)).remove(lj, 3) },
  { name: "removing 1", act: async (disk) => (await openOn(disk)).remove(lj, 1) },
  { name: "dropping from 4 the page that 2 has too", act: (disk) => dedupOn(disk, 4) },
];

const modes = [
  { mode: "names can be exchanged", exchanges: true },
  { mode: "they cannot", exchanges: false },
];

describe.each(modes)("where $mode,", ({ exchanges }) => {
  /** The disk before step k, and what a reader finds on it. */
  const before: SimDisk[] = [];
  const content: string[] = [];

  beforeAll(async () => {
    const disk = await chainOnDisk();
    disk.exchanges = exchanges;
    for (const step of steps) {
      before.push(disk.clone());
      content.push(await readBack(disk));
      await step.act(disk);
    }
    content.push(await readBack(disk));
  });

  const diskBefore = (at: number): SimDisk => (before[at] as SimDisk).clone();

  test("the steps leave the kept points alone, each with its own pages, and then change nothing", async () => {
    expect(content.map((found) => Object.keys(JSON.parse(found) as object).map(Number))).toEqual([
      [1, 2, 3, 4],
      [1, 2, 3, 4],
      [1, 2, 3, 4],
      [1, 2, 4],
      [2, 4],
      [2, 4],
    ]);
    expect(JSON.parse(content.at(-1) ?? "")).toMatchObject({
      2: { kind: "base", parent: null, link: null, kept: 5, pages: letters[2] },
      4: { kind: "increment", parent: 2, link: "../2", kept: 2, pages: letters[4] },
    });
    expect(JSON.parse(content.at(-2) ?? "")).toMatchObject({ 4: { parent: 2, kept: 3, pages: letters[4] } });
    const disk = diskBefore(3);
    disk.interrupt({ at: -1, how: "power-cut" });
    await foldOn(disk, 2, null);
    expect(disk.calls).toBe(0);
    const last = before[4]?.clone();
    await expect(dedupOn(last as SimDisk, 4)).resolves.toEqual({ pagesDropped: 1 });
    await expect(dedupOn(last as SimDisk, 4)).resolves.toEqual({ pagesDropped: 0 });
    expect(await readBack(last as SimDisk)).toBe(content[5]);
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
    // Done is done: a step that resolved is there for good.
    const allowed = cut ? [content[at], content[at + 1]] : [content[at + 1]];
    for (const pick of picks) {
      const up = disk.crashed(pick);
      // Where names cannot be exchanged, only after the sweep.
      if (exchanges || !cut) expect(allowed).toContain(await readBack(up));
      await (await openOn(up)).sweepLeftovers(lj);
      const swept = await readBack(up);
      expect(allowed).toContain(swept);
      expect(up.everything().filter((name) => /\/\.(folding|old|gone|making)-/.test(name))).toEqual([]);
      expect(await readBack(up.crashed(nothingLasts))).toBe(swept);
    }
    return cut;
  }

  describe.each(steps.map(({ name }, at) => ({ name, at })))("when the power goes during $name", ({ at }) => {
    test("after any n-th call, every point reads back as before or after, page for page", async () => {
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

  test.each(steps.map(({ name }, at) => ({ name, at })))(
    "when the process dies during $name, the next one sweeps, and does the step again",
    async ({ at }) => {
      const { act } = steps[at] as (typeof steps)[number];
      for (let n = 0, cut = true; cut; n++) {
        const dead = diskBefore(at);
        dead.interrupt({ at: n, how: "power-cut" });
        cut = await act(dead).then(
          () => false,
          () => true,
        );
        const disk = dead.clone();
        await (await openOn(disk)).sweepLeftovers(lj);
        expect([content[at], content[at + 1]]).toContain(await readBack(disk));
        await act(disk);
        expect(await readBack(disk.crashed(nothingLasts))).toBe(content[at + 1]);
      }
    },
  );

  test.each([0, 1, 4])(
    "a rewriting that is refused at any call says so, and every point reads as before or after (step %i)",
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
        expect([content[at], content[at + 1]]).toContain(await readBack(disk));
        if (over) return;
      }
    },
  );

  test.each(["file", "folder"] as const)("a fold that never syncs a %s is found out", async (kind) => {
    let broken = 0;
    for (const pick of [nothingLasts, namesLast, everythingLasts]) {
      const disk = diskBefore(0);
      disk.forgets = kind;
      await foldOn(disk, 4, 2);
      if ((await readBack(disk.crashed(pick)).catch(() => "unreadable")) !== content[1]) broken++;
    }
    expect(broken).toBeGreaterThan(0);
  });

  test("each sync that a fold owes is missed when it is left out", async () => {
    const missed: string[] = [];
    const lies = await pathsSynced(diskBefore(0));
    for (const lie of new Set(lies)) {
      let isBroken = false;
      for (let n = 0, cut = true; cut; n++) {
        const disk = diskBefore(0);
        const sync = disk.sync.bind(disk);
        disk.sync = (at) => (at === lie ? Promise.resolve() : sync(at));
        disk.interrupt({ at: n, how: "power-cut" });
        cut = await foldOn(disk, 4, 2).then(
          () => false,
          () => true,
        );
        for (const pick of [nothingLasts, namesLast, everythingLasts]) {
          const found = await readBack(disk.crashed(pick)).catch(() => "unreadable");
          isBroken ||= !(cut ? [content[0], content[1]] : [content[1]]).includes(found);
        }
      }
      if (isBroken) missed.push(lie.replace(/.*\/generations/, "generations"));
    }
    expect(missed).toEqual(
      expect.arrayContaining([
        "generations",
        "generations/.folding-4",
        "generations/.folding-4/files",
        "generations/.folding-4/holdfast.json",
        "generations/.folding-4/pagemap-300.img",
        "generations/.folding-4/pages-1.img",
      ]),
    );
  });
});

test("damage in a generation that must give pages is told, and not taken over under a new digest", async () => {
  const disk = await chainOnDisk();
  const file = `${folderOf(3)}/pages-1.img`;
  const bytes = Buffer.from(await disk.read(file));
  bytes[7] = (bytes[7] ?? 0) ^ 1;
  disk.put(file, bytes);
  const refused = await foldOn(disk, 4, 2).catch((error: Fault) => error);
  expect(refused).toMatchObject({
    code: "point-damaged",
    message: expect.stringContaining("point 3 of lj is damaged: pages-1.img"),
  });
  expect(disk.everything().filter((name) => name.includes("/.folding-"))).toEqual([]);
  // Nothing of 1 goes into 4, so 4 does not care.
  disk.put(file, Buffer.from(bytes.map((byte, at) => (at === 7 ? byte ^ 1 : byte))));
  disk.put(`${folderOf(1)}/pages-1.img`, Buffer.alloc(5 * PAGE));
  await expect(foldOn(disk, 4, 2)).resolves.toEqual({ bytesMoved: PAGE });
});

async function foldOn(disk: SimDisk, number: number, parent: number | null): Promise<{ readonly bytesMoved: number }> {
  const room = { disk, paths: vaultPaths(root, null, null), random, now: () => 77 };
  return fold(room, await readKey(room), { job: lj, number, parent }, () => undefined, handsOn(disk));
}

async function pathsSynced(disk: SimDisk): Promise<readonly string[]> {
  const synced: string[] = [];
  const sync = disk.sync.bind(disk);
  disk.sync = (at) => (synced.push(at), sync(at));
  await foldOn(disk, 4, 2);
  return synced;
}

async function dedupOn(disk: SimDisk, number: number): Promise<{ readonly pagesDropped: number }> {
  const room = { disk, paths: vaultPaths(root, null, null), random, now: () => 77 };
  return dedup(room, await readKey(room), { job: lj, number }, () => undefined, handsOn(disk));
}
