import { createHash } from "node:crypto";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import type { Vault } from "../../../src/engine/ports.ts";
import type { Fault } from "../../../src/faults/fault.ts";
import { entriesOf, IN_PARENT, PAGE, pagemapOf, PRESENT, readPagemap, writePagemap } from "../../../src/images/pagemap.ts";
import { fold } from "../../../src/vault/fold.ts";
import { readKey } from "../../../src/vault/identity.ts";
import { vaultPaths } from "../../../src/vault/paths.ts";
import { openVault } from "../../../src/vault/vault.ts";
import { aPage, BASE } from "../images/specimens.ts";
import { handsOn } from "./fold-hands.ts";
import { type Pick, PowerCut, SimDisk } from "./sim-disk.ts";
import { aJob, aManifest, lj } from "./specimens.ts";

/** Generations 1 and 3 of `B1 i2 i3 i4` expire: what the engine then does, one step after the other. */
const steps: readonly { readonly name: string; readonly act: (disk: SimDisk) => Promise<unknown> }[] = [
  { name: "folding 4 onto 2", act: (disk) => foldOn(disk, 4, 2) },
  { name: "folding 2 into a base", act: (disk) => foldOn(disk, 2, null) },
  { name: "removing 3", act: async (disk) => (await openOn(disk)).remove(lj, 3) },
  { name: "removing 1", act: async (disk) => (await openOn(disk)).remove(lj, 1) },
];

/** Each page's letters by point: what a reader must find for ever, whatever was folded. */
const letters: Readonly<Record<number, string>> = { 1: "abcde", 2: "aBcde", 3: "aBCde", 4: "aBCDe" };

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
    ]);
    expect(JSON.parse(content.at(-1) ?? "")).toMatchObject({
      2: { kind: "base", parent: null, link: null, kept: 5, pages: letters[2] },
      4: { kind: "increment", parent: 2, link: "../2", kept: 2, pages: letters[4] },
    });
    const disk = diskBefore(3);
    disk.interrupt({ at: -1, how: "power-cut" });
    await foldOn(disk, 2, null);
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

  test.each([0, 1])(
    "a fold that is refused at any call says so, and every point reads as before or after (step %i)",
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

/** Pages by letter, small files whole, links and manifests, of every sealed generation. Rejects if anything is unreadable. */
async function readBack(disk: SimDisk): Promise<string> {
  const vault = await openOn(disk);
  const found: Record<number, unknown> = {};
  for (const number of await vault.sealed(lj)) {
    const manifest = await vault.manifest(lj, number);
    for (const [file, digest] of Object.entries(manifest.digests)) {
      const bytes = await disk.read(`${folderOf(number)}/${file}`);
      expect(createHash("sha256").update(bytes).digest("hex")).toBe(digest.sha256);
    }
    const link = await disk.readLink(`${folderOf(number)}/parent`).catch((error: unknown) => {
      if (error instanceof PowerCut) throw error;
      return null;
    });
    const { kind, parent, pages, id } = manifest;
    const said = { id, kind, parent: parent?.number ?? null, link, kept: pages.kept };
    found[number] = { ...said, pages: await lettersOf(disk, number) };
    expect(found[number]).toHaveProperty("pages", letters[number]);
  }
  return JSON.stringify(found);
}

async function lettersOf(disk: SimDisk, number: number): Promise<string> {
  const pages = await pagesOf(disk, number);
  return [0, 1, 2, 3, 4].map((i) => pages.get(BASE + i)).join("");
}

/** Followed by the links on the disk, as CRIU does. */
async function pagesOf(disk: SimDisk, number: number): Promise<Map<number, string>> {
  const pagemap = readPagemap(await disk.read(`${folderOf(number)}/pagemap-300.img`), "pagemap");
  const bytes = await disk.read(`${folderOf(number)}/pages-1.img`);
  const pages = new Map<number, string>();
  let at = 0;
  let parent: Map<number, string> | undefined;
  for (const entry of entriesOf(pagemap)) {
    for (let page = entry.page; page < entry.page + entry.pages; page++) {
      if ((entry.flags & IN_PARENT) === 0) pages.set(page, String.fromCharCode(bytes[at++ * PAGE] ?? 63));
      else {
        parent ??= await pagesOf(disk, Number(/^\.\.\/(\d+)$/.exec(await disk.readLink(`${folderOf(number)}/parent`))?.[1]));
        pages.set(page, parent.get(page) ?? "?");
      }
    }
  }
  expect(bytes.length).toBe(at * PAGE);
  return pages;
}

/** `B1 i2 i3 i4`, sealed and durable: each changes the page of its number. */
async function chainOnDisk(): Promise<SimDisk> {
  const disk = new SimDisk();
  await disk.makeFolder("/srv");
  await disk.sync("/");
  const vault = await openOn(disk);
  await vault.writeJob(aJob());
  for (const number of [1, 2, 3, 4]) {
    const making = await vault.prepare(lj, number);
    const present = number === 1 ? [0, 1, 2, 3, 4] : [number - 1];
    const entries = [0, 1, 2, 3, 4].map((i) => ({ page: BASE + i, pages: 1, flags: present.includes(i) ? PRESENT : IN_PARENT }));
    const pages = present.map((i) => aPage(letters[number]?.[i] ?? "", "z"));
    disk.put(`${making.folder}/pagemap-300.img`, Buffer.from(writePagemap(pagemapOf(1, entries))));
    disk.put(`${making.folder}/pages-1.img`, Buffer.concat(pages));
    disk.put(`${making.folder}/inventory.img`, Buffer.from(`inventory of ${number}`));
    disk.putFolder(`${making.folder}/files`);
    disk.put(`${making.folder}/files/1`, Buffer.from(`captured by ${number}`));
    const parent = number === 1 ? null : { number: number - 1, id: `id-${number - 1}` };
    if (parent !== null) disk.putLink(`${making.folder}/parent`, `../${parent.number}`);
    await vault.seal(making, aManifest(number, { kind: parent ? "increment" : "base", parent }), {});
  }
  return disk;
}

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

const root = "/srv/vault";
const folderOf = (number: number): string => `${root}/jobs/lj/generations/${number}`;

let drawn = 0;
const random = (): string => (++drawn).toString(16).padStart(8, "0").padEnd(32, "0");

function openOn(disk: SimDisk): Promise<Vault> {
  return openVault({ path: root, stagingPath: null, keyPath: null, random, now: () => 77 }, disk);
}

const nothingLasts: Pick = () => 0;
/** Every rename, and none of the bytes. */
const namesLast: Pick = (count) => (count === 2 ? 1 : 0);
const everythingLasts: Pick = () => 1;
