import { createHash } from "node:crypto";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import type { Making, Vault } from "../../../src/engine/ports.ts";
import { Fault } from "../../../src/faults/fault.ts";
import { openVault } from "../../../src/vault/vault.ts";
import { type Pick, PowerCut, SimDisk } from "./sim-disk.ts";
import { aJob, aManifest, aRun, lj, root } from "./specimens.ts";

/** One life of a job's vault; each step must be all or nothing, and done for good when it resolves. */
const story: readonly { readonly name: string; readonly act: (vault: Vault, disk: SimDisk) => Promise<unknown> }[] = [
  { name: "the first job makes the vault", act: (vault) => vault.writeJob(aJob()) },
  { name: "writing a job again", act: (vault) => vault.writeJob(aJob(lj, { keep: "last=9" })) },
  { name: "making a run's folder", act: (vault) => vault.runFolder(lj, 1) },
  { name: "writing a run", act: (vault) => vault.writeRun(lj, aRun(1)) },
  {
    name: "the first head",
    act: (vault) => vault.writeHead(lj, { lastNumber: 1, bits: { type: "unknown", why: "a dump begins" } }),
  },
  { name: "sealing a base", act: (vault, disk) => take(vault, disk, 1, null) },
  { name: "a known head", act: (vault) => vault.writeHead(lj, { lastNumber: 1, bits: known(1) }) },
  {
    name: "an unknown head",
    act: (vault) => vault.writeHead(lj, { lastNumber: 2, bits: { type: "unknown", why: "a dump begins" } }),
  },
  { name: "a dump that is thrown away", act: async (vault, disk) => vault.discard(await dump(vault, disk, 2, 1)) },
  { name: "sealing an increment", act: (vault, disk) => take(vault, disk, 2, 1) },
  { name: "marks", act: (vault) => vault.writeMarks(lj, { "1": { held: true }, "2": { state: "damaged", reason: "page 3" } }) },
  { name: "a run's end", act: (vault) => vault.writeRun(lj, aRun(1, { endedAt: 9, ending: { type: "exited", status: 7 } })) },
  { name: "removing a generation", act: (vault) => vault.remove(lj, 2) },
  { name: "a run that never came to life", act: (vault) => vault.runFolder(lj, 2) },
  { name: "what it was to be", act: (vault) => vault.writeBeginning(lj, 2, { from: 1, at: 7, by: "service" }) },
  { name: "throwing that run away", act: (vault) => vault.removeRunFolder(lj, 2) },
  {
    name: "a dump left lying, then swept",
    act: async (vault, disk) => (await dump(vault, disk, 3, null), vault.sweepLeftovers(lj)),
  },
  { name: "removing the job", act: (vault) => vault.removeJob(lj) },
];

/** `before[k]` and `content[k]`: the disk and what a reader finds on it before step k. */
const before: SimDisk[] = [];
const content: string[] = [];

beforeAll(async () => {
  const disk = await freshDisk();
  for (const step of story) {
    before.push(disk.clone());
    content.push(await readBack(disk));
    await step.act(await openOn(disk), disk);
  }
  content.push(await readBack(disk));
});

describe.each(story.map((step, at) => ({ ...step, at })))("when the power goes during $name", ({ at, act }) => {
  test("after any n-th call, the vault reads back as before or after", async () => {
    for (let n = 0, cut = true; cut; n++) {
      for (const pick of [nothingLasts, namesLast, everythingLasts]) cut = await cutAndCheck(at, act, n, pick);
    }
  });

  test("whatever subset of the unsynced names and bytes lasts", async () => {
    const calls = await callsOf(at, act);
    await fc.assert(
      fc.asyncProperty(fc.nat(calls), fc.infiniteStream(fc.nat(11)), async (n, choices) => {
        await cutAndCheck(at, act, n, (count) => choices.next().value % count);
      }),
      { numRuns: 120 },
    );
  });
});

describe.each(story.map((step, at) => ({ ...step, at })))("when the process dies during $name", ({ at, act }) => {
  test("after any n-th call, what the next one finds and sweeps outlives a power cut; and the step can be done again", async () => {
    for (let n = 0, cut = true; cut; n++) {
      const dead = diskBefore(at);
      const killed = await openOn(dead);
      dead.interrupt({ at: n, how: "power-cut" });
      cut = await act(killed, dead).then(
        () => false,
        () => true,
      );
      const disk = dead.clone();
      const next = await openOn(disk);
      for (const name of await next.jobNames()) await next.sweepLeftovers(name);
      const found = await readBack(disk);
      // A vault without a job has nobody who swept it.
      if (found !== "[]") expect(await readBack(disk.crashed(nothingLasts))).toBe(found);
      if (found !== content[at + 1]) await act(next, disk);
      else if (at === 0) await next.writeJob(aJob());
      else continue;
      expect(await readBack(disk.crashed(nothingLasts))).toBe(content[at + 1]);
    }
  });
});

describe.each(story.map((step, at) => ({ ...step, at })))("when the disk refuses during $name", ({ at, act }) => {
  test.each([
    ["ENOSPC", "vault-full"],
    ["EDQUOT", "vault-full"],
    ["EROFS", "vault-unwritable"],
    ["EIO", "io-failed"],
  ])("any n-th call with %s, the fault is %s and the vault reads as before or after", async (code, expected) => {
    for (let n = 0; ; n++) {
      const disk = diskBefore(at);
      const vault = await openOn(disk);
      disk.interrupt({ at: n, how: { errno: code } });
      const outcome = await act(vault, disk).then(
        () => "done",
        (error: unknown) => (error instanceof Fault ? error.code : error),
      );
      const over = disk.calls <= n;
      disk.interrupt({ at: -1, how: "power-cut" });
      expect([expected, "done"]).toContain(outcome);
      expect(outcome === "done" ? [content[at + 1]] : [content[at], content[at + 1]]).toContain(await readBack(disk));
      if (over) return;
    }
  });
});

test("a key kept elsewhere is as durable as what it seals, also if its maker died before the last sync", async () => {
  const keyPath = "/etc/holdfast/key";
  for (let n = 0, cut = true; cut; n++) {
    const dead = await freshDisk();
    dead.interrupt({ at: n, how: "power-cut" });
    cut = await openOn(dead, keyPath).then((vault) =>
      vault.writeJob(aJob()).then(
        () => false,
        () => true,
      ),
    );
    const disk = dead.clone();
    const vault = await openOn(disk, keyPath);
    await vault.writeJob(aJob());
    await take(vault, disk, 1, null);
    const up = disk.crashed(nothingLasts);
    expect((await (await openOn(up, keyPath)).manifest(lj, 1)).number).toBe(1);
  }
});

test("a seal that is refused at any call leaves nothing sealed", async () => {
  const at = story.findIndex((step) => step.name === "sealing an increment");
  for (let n = 0, over = false; !over; n++) {
    const disk = diskBefore(at);
    const vault = await openOn(disk);
    const making = await dump(vault, disk, 2, 1);
    disk.interrupt({ at: n, how: { errno: "ENOSPC" } });
    const refused = await sealIt(vault, disk, making).then(
      () => false,
      () => true,
    );
    over = disk.calls <= n;
    disk.interrupt({ at: -1, how: "power-cut" });
    expect(await vault.sealed(lj)).toEqual(refused ? [1] : [1, 2]);
  }
});

describe("the simulated disk finds what is left out", () => {
  test.each(["file", "folder"] as const)("a vault that never syncs a %s breaks the law", async (kind) => {
    const broken: string[] = [];
    for (const [at, step] of story.entries()) {
      const disk = diskBefore(at);
      disk.forgets = kind;
      await step.act(await openOn(disk), disk);
      const after = disk.crashed(nothingLasts);
      if ((await readBack(after).catch(() => "unreadable")) !== content[at + 1]) broken.push(step.name);
    }
    expect(broken).toContain("sealing a base");
    expect(broken).toContain("writing a job again");
  });
});

async function cutAndCheck(at: number, act: (typeof story)[number]["act"], n: number, pick: Pick): Promise<boolean> {
  const disk = diskBefore(at);
  const vault = await openOn(disk);
  disk.interrupt({ at: n, how: "power-cut" });
  const cut = await act(vault, disk).then(
    () => false,
    (error: unknown) => {
      if (!(error instanceof PowerCut)) throw error;
      return true;
    },
  );
  const up = disk.crashed(pick);
  const read = await readBack(up);
  // Done is done: a step that resolved is there for good.
  expect(cut ? [content[at], content[at + 1]] : [content[at + 1]]).toContain(read);
  const swept = await openOn(up);
  for (const name of await swept.jobNames()) await swept.sweepLeftovers(name);
  expect(await readBack(up)).toBe(read);
  if ((await swept.jobNames()).length > 0) expect(up.everything().filter(isLeftover)).toEqual([]);
  return cut;
}

/** The story's folders alone; temporary files of the vault's own two are harmless, and nobody's to remove. */
function isLeftover(name: string): boolean {
  return /\/(\.making-|\.gone-)|\/\.staging\/.|\/jobs\/.*\.tmp$/.test(name);
}

async function callsOf(at: number, act: (typeof story)[number]["act"]): Promise<number> {
  const disk = diskBefore(at);
  disk.interrupt({ at: -1, how: "power-cut" });
  await act(await openOn(disk), disk);
  return disk.calls;
}

/** All that a reader finds, sealed files against their digests included. Rejects if anything is unreadable. */
async function readBack(disk: SimDisk): Promise<string> {
  const vault = await openOn(disk);
  const jobs = [];
  for (const name of await vault.jobNames()) {
    const generations = [];
    for (const number of await vault.sealed(name)) {
      const manifest = await vault.manifest(name, number);
      for (const [file, digest] of Object.entries(manifest.digests)) {
        const bytes = await disk.read(`${vault.generationFolder(name, number)}/${file}`);
        expect(createHash("sha256").update(bytes).digest("hex")).toBe(digest.sha256);
      }
      if (manifest.parent !== null) await disk.readLink(`${vault.generationFolder(name, number)}/parent`);
      generations.push(manifest);
    }
    const head = await vault.readHead(name);
    const marks = await vault.readMarks(name);
    jobs.push({ job: await vault.readJob(name), bits: head.bits, marks, runs: await vault.runs(name), generations });
  }
  return JSON.stringify(jobs, null, 1);
}

async function take(vault: Vault, disk: SimDisk, number: number, parent: number | null): Promise<void> {
  await sealIt(vault, disk, await dump(vault, disk, number, parent));
}

/** As CRIU and thin would leave it: nothing of it synced. */
async function dump(vault: Vault, disk: SimDisk, number: number, parent: number | null): Promise<Making> {
  const making = await vault.prepare(lj, number);
  disk.put(`${making.staging}/stats-dump`, Buffer.from("left behind"));
  disk.put(`${making.folder}/pages-1.img`, Buffer.from(`pages of ${number}`));
  disk.put(`${making.folder}/inventory.img`, Buffer.from(`inventory of ${number}`));
  disk.putFolder(`${making.folder}/files`);
  disk.put(`${making.folder}/files/1`, Buffer.from("a captured file"));
  if (parent !== null) disk.putLink(`${making.folder}/parent`, `../${parent}`);
  return making;
}

async function sealIt(vault: Vault, disk: SimDisk, making: Making): Promise<void> {
  const bytes = await disk.read(`${making.folder}/pages-1.img`);
  const digests = { "pages-1.img": { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") } };
  const increment = { kind: "increment", parent: { number: 1, id: "id-1" } } as const;
  await vault.seal(making, aManifest(making.number, making.number === 1 ? {} : increment), digests);
}

function known(generation: number) {
  return { type: "known", generation, id: `id-${generation}`, root, run: 1, criu: "4.2.1", tracking: "compare" } as const;
}

function diskBefore(step: number): SimDisk {
  return (before[step] as SimDisk).clone();
}

async function freshDisk(): Promise<SimDisk> {
  const disk = new SimDisk();
  await disk.makeFolder("/srv");
  await disk.sync("/");
  return disk;
}

let drawn = 0;

function openOn(disk: SimDisk, keyPath: string | null = null): Promise<Vault> {
  const random = (): string => (++drawn).toString(16).padStart(8, "0").padEnd(32, "0");
  return openVault({ path: "/srv/deep/vault", stagingPath: null, keyPath, random, now: () => 77 }, disk);
}

const nothingLasts: Pick = () => 0;
/** Every rename, and none of the bytes: the crash that empties files. */
const namesLast: Pick = (count) => (count === 2 ? 1 : 0);
const everythingLasts: Pick = () => 1;
