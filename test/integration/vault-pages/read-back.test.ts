import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { compose, type Engine } from "../../../src/compose.ts";
import type { CapturedFile } from "../../../src/domain/captured.ts";
import type { Damage } from "../../../src/engine/ports.ts";
import { points, status } from "../../../src/engine/queries.ts";
import { rebuild } from "../../../src/engine/rebuild.ts";
import { verify } from "../../../src/engine/verify.ts";
import { IN_PARENT, PAGE, PRESENT } from "../../../src/images/pagemap.ts";
import { readSettings } from "../../../src/settings/read.ts";
import type { Disk } from "../../../src/vault/disk.ts";
import { machineDisk } from "../../../src/vault/machine-disk.ts";
import type { SealedFolder } from "../../../src/vault/pages-check.ts";
import { everything, readBack } from "../../../src/vault/read-back.ts";
import { openVault } from "../../../src/vault/vault.ts";
import { aPage, BASE } from "../../unit/images/specimens.ts";
import { aJob, aManifest, lj } from "../../unit/vault/specimens.ts";
import { digestsOf, ignore, type Memory, scratchFolder, writeDump } from "./image-folders.ts";

let root: string;
const at = (...parts: readonly (string | number)[]): string => path.join(root, ...parts.map(String));
const nothing = { share: 0, seed: "" };

beforeEach(async () => {
  root = await scratchFolder();
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** A memory from BASE on: a letter is a page of its own, `.` one left to the parent, a blank one that is not there. */
function memory(text: string, name = "pagemap-300.img", pagesId = 1): Memory {
  const entries = Array.from(text, (letter, place) => ({
    page: BASE + place,
    pages: 1,
    flags: letter === "." ? IN_PARENT : PRESENT,
  }));
  const own = Array.from(text).filter((letter) => letter !== "." && letter !== " ");
  return {
    name,
    pagesId,
    entries: entries.filter(({ page }) => text[page - BASE] !== " "),
    bytes: Buffer.concat(own.map((letter) => aPage(letter, letter))),
  };
}

const where = (damage: readonly Damage[]): readonly string[] => damage.map(({ number, file }) => `${number}/${file}`);

describe("of folders with digests that fit", () => {
  /** Sealed as it is: what is wrong is in the lists of pages, not in the bytes. */
  async function sealed(number: number, parent: number | null, ...memories: readonly Memory[]): Promise<SealedFolder> {
    await writeDump(at(number), memories);
    const leans = memories.some(({ entries }) => entries.some(({ flags }) => flags === IN_PARENT));
    if (parent !== null && leans) await symlink(`../${parent}`, at(number, "parent"));
    const digests = await digestsOf(at(number));
    return { number, folder: at(number), digests, parent: parent === null ? null : { number: parent, id: "x" } };
  }

  test("a page that only a middle point reads, and nobody holds, is found; the last of the chain does not miss it", async () => {
    const one = await sealed(1, null, memory("ab d"));
    const two = await sealed(2, 1, memory("...."));
    const three = await sealed(3, 2, memory("..C."));
    expect((await readBack([[three, two, one]], everything, ignore)).damage).toEqual([]);
    const { damage } = await readBack([[one], [two, one], [three, two, one]], everything, ignore);
    expect(damage).toEqual([{ number: 2, file: "pagemap-300.img", why: expect.stringContaining("it does not have them") }]);
  });

  test("pages that nobody holds are told of the lowest point that reads them, not of each that stands on it", async () => {
    const one = await sealed(1, null, memory("ab d"), memory("xy", "pagemap-301.img", 2));
    const two = await sealed(2, 1, memory("...."), memory("..", "pagemap-301.img", 2));
    const three = await sealed(3, 2, memory("...."), memory("...", "pagemap-301.img", 2));
    const { damage } = await readBack([[one], [two, one], [three, two, one]], everything, ignore);
    expect(where(damage)).toEqual(["2/pagemap-300.img", "3/pagemap-301.img"]);
  });

  test("every file of a tree of chains is read once, and the total is that of all of them", async () => {
    const one = await sealed(1, null, memory("abcd"));
    const two = await sealed(2, 1, memory(".B.."));
    const three = await sealed(3, 1, memory("..C."));
    const four = await sealed(4, null, memory("abcd"));
    let [read, first, last] = [0, -1, [0, 0]];
    const found = await readBack([[one], [two, one], [three, one], [four]], everything, (bytes, total) => {
      read = bytes;
      if (first < 0) first = total;
      last = [bytes, total];
    });
    const whole = [one, two, three, four]
      .flatMap(({ digests }) => Object.values(digests))
      .reduce((sum, { bytes }) => sum + bytes, 0);
    expect([read, first, ...last]).toEqual([whole, whole, whole, whole]);
    expect(found).toEqual({ damage: [], read: { files: 4, bytes: 10 * PAGE }, unread: [] });
  });
});

describe("of a job in a vault", () => {
  let engine: Engine;
  const folder = (number: number): string => engine.ports.vault.generationFolder(lj, number);

  beforeEach(async () => {
    engine = await compose(readSettings({ file: null, env: {}, flags: { "vault.path": at("vault") } }));
    await engine.ports.vault.writeJob(aJob(lj, { schedule: null }));
    for (const [k, letters] of ["abcd", "aBcd", "aXcd", "aXcD"].entries()) await take(k + 1, letters);
    await rebuild(engine.ports);
  });
  afterEach(() => engine.close());

  /** One generation on the one before: a memory, two captured copies and a file kept by its length. */
  async function take(number: number, letters: string): Promise<void> {
    const { vault } = engine.ports;
    const making = await vault.prepare(lj, number);
    await writeDump(making.staging, [memory(letters)]);
    await mkdir(path.join(making.folder, "files"));
    const copies = [`state at ${number}`, `table at ${number}`];
    const files = copies.map((text, place): CapturedFile => ({
      ...captured(`/work/${place}`, text.length),
      stored: `files/${place}`,
    }));
    for (const [place, text] of copies.entries()) await writeFile(path.join(making.folder, `files/${place}`), text);
    const { digests } = await vault.thin(making, number === 1 ? null : number - 1, ignore);
    const stored = Object.fromEntries(copies.map((text, place) => [`files/${place}`, digestOf(text)]));
    const log: CapturedFile = { ...captured("/work/log", 9), how: "length" };
    const input = {
      path: "/work/in",
      size: 1,
      mtimeNs: "0",
      inode: "1:1",
      ctimeNs: "0",
      sha256: number === 4 ? "" : digestOf("x").sha256,
    };
    const linked = number === 1 ? {} : ({ kind: "increment", parent: { number: number - 1, id: `id-${number - 1}` } } as const);
    const capture = { files: [...files, log], folders: [], needed: [input] };
    await vault.seal(making, aManifest(number, { capture, ...linked }), { ...digests, ...stored });
  }

  async function flip(file: string, place: number): Promise<void> {
    const bytes = await readFile(file);
    bytes[place] = (bytes[place] ?? 0) ^ 1;
    await writeFile(file, bytes);
  }

  const found = async (share = 1, number: number | null = null) => where((await verify(engine.ports, lj, number, share)).damage);
  const offered = async () => (await points(engine.ports, lj)).map(({ number }) => number);

  test("nothing is wrong with it, all is read, and what lies outside the vault is told", async () => {
    expect(await verify(engine.ports, lj, null)).toMatchObject({
      checked: [1, 2, 3, 4],
      damage: [],
      read: { files: 12, bytes: 7 * PAGE + 4 * 20 },
      unread: [],
      outside: { needed: 1, undigested: 1, byLength: 1, leftOut: 0 },
    });
    expect((await status(engine.ports, lj))[0]).toMatchObject({ damaged: [], lost: [] });
  });

  test("a byte of a page that only a middle point reads: that point and those on it are withdrawn, the base stays", async () => {
    // The page that 2 wrote was written again by 3: only 2 reads it.
    await flip(path.join(folder(2), "pages-1.img"), 7);
    expect(await found()).toEqual(["2/pages-1.img"]);
    expect(await offered()).toEqual([1]);
    expect((await status(engine.ports, lj))[0]).toMatchObject({ damaged: [2], lost: [3, 4] });
    // In the vault too, so that a rebuilt catalogue knows it; and nothing is gone.
    await rebuild(engine.ports);
    expect(await offered()).toEqual([1]);
    expect(await engine.ports.vault.sealed(lj)).toEqual([1, 2, 3, 4]);
  });

  test("a captured copy that is gone, is cut, has another's content, or lost its folder", async () => {
    await rm(path.join(folder(4), "files/1"));
    expect(await found()).toEqual(["4/files/1"]);
    await truncate(path.join(folder(3), "files/0"), 3);
    expect(await found()).toEqual(["3/files/0"]);
    const [first, second] = [path.join(folder(2), "files/0"), path.join(folder(2), "files/1")];
    await rename(first, at("first"));
    await rename(second, first);
    await rename(at("first"), second);
    expect(await found()).toEqual(["2/files/0", "2/files/1"]);
    await rm(path.join(folder(1), "files"), { recursive: true });
    expect(await found()).toEqual(["1/files/0", "1/files/1"]);
    expect(await offered()).toEqual([]);
  });

  test("a copy that the capture tells of and the generation does not have is damage", async () => {
    const { vault } = engine.ports;
    const making = await vault.prepare(lj, 5);
    await writeDump(making.staging, [memory("abcd")]);
    const { digests } = await vault.thin(making, null, ignore);
    const copy = { ...captured("/work/0", 4), stored: "files/0" };
    await vault.seal(making, aManifest(5, { capture: { files: [copy], folders: [], needed: [] } }), digests);
    const damage = await vault.verifyChain(lj, 5, ignore);
    expect(damage).toEqual([{ number: 5, file: "files/0", why: "the copy of /work/0 is not among its files" }]);
  });

  test("generations that changed places", async () => {
    await rename(folder(2), at("two"));
    await rename(folder(3), folder(2));
    await rename(at("two"), folder(3));
    const { damage } = await engine.ports.vault.verifyChains(lj, [1, 2, 3, 4], everything, ignore);
    expect(where(damage)).toEqual(["2/holdfast.json", "3/holdfast.json"]);
    expect((await verify(engine.ports, lj, null)).damage.map(({ number }) => number)).toEqual([2, 3]);
    expect(await offered()).toEqual([1]);
  });

  test("a parent's link that was led elsewhere", async () => {
    await rm(path.join(folder(3), "parent"));
    await symlink("../1", path.join(folder(3), "parent"));
    expect(await found()).toEqual(["3/parent"]);
  });

  test("of a share nothing but names, lengths and small files is sure: what was not read is told, file by file", async () => {
    const bulk = ["1/pages-1.img", "1/files/0", "1/files/1", "2/pages-1.img"];
    const report = await verify(engine.ports, lj, null, 0);
    expect(report).toMatchObject({ damage: [], read: { files: 0, bytes: 0 } });
    expect(where(report.unread.map((one) => ({ ...one, why: "" })))).toEqual(expect.arrayContaining(bulk));
    expect(report.unread.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(7 * PAGE + 4 * 20);

    await flip(path.join(folder(4), "pages-1.img"), 7);
    expect(await found(0)).toEqual([]);
    expect(await found()).toEqual(["4/pages-1.img"]);
    await truncate(path.join(folder(3), "pages-1.img"), 100);
    expect(await found(0)).toEqual(["3/pages-1.img", "3/pagemap-300.img"]);
    await flip(path.join(folder(2), "pstree.img"), 9);
    expect(await found(0)).toEqual(["2/pstree.img"]);
    await flip(path.join(folder(1), "pagemap-300.img"), 30);
    expect(await found(0)).toContain("1/pagemap-300.img");
  });

  test("verifies of a share find a flipped byte in the end, each picking other files", async () => {
    await flip(path.join(folder(2), "files/0"), 2);
    for (let times = 0; times < 200; times++) {
      const report = await verify(engine.ports, lj, null, 0.3);
      expect(report.read.bytes).toBeGreaterThanOrEqual(0.3 * (7 * PAGE + 80));
      if (report.damage.length === 0) continue;
      expect(where(report.damage)).toEqual(["2/files/0"]);
      return;
    }
    expect.unreachable("in 200 verifies of a third of the bytes the file was never picked");
  });

  test("one point is looked at with those below it, and not with those above", async () => {
    await flip(path.join(folder(4), "files/0"), 2);
    expect(await found(1, 3)).toEqual([]);
    expect(await verify(engine.ports, lj, 2)).toMatchObject({ checked: [1, 2] });
    expect(await found(1, 4)).toEqual(["4/files/0"]);
  });

  test("a manifest that the disk cannot give back is damage like any other", async () => {
    const machine = machineDisk(null);
    const failing: Disk = {
      ...machine,
      read: async (file) => {
        if (file === path.join(folder(3), "holdfast.json"))
          throw Object.assign(new Error("EIO: i/o error, read"), { code: "EIO", errno: -5 });
        return machine.read(file);
      },
    };
    const options = { path: at("vault"), stagingPath: null, keyPath: null, random: () => "x", now: () => 0 };
    const { damage } = await (await openVault(options, failing)).verifyChains(lj, [1, 2, 3, 4], everything, ignore);
    expect(damage).toEqual([{ number: 3, file: "holdfast.json", why: expect.stringContaining("it cannot be read") }]);
  });

  test("the vault's own read of part of a job leaves out nothing that is small", async () => {
    const asked = await engine.ports.vault.verifyChains(lj, [1, 2, 3, 4], nothing, ignore);
    expect(asked.unread.every(({ file }) => file.startsWith("files/") || file.startsWith("pages-"))).toBe(true);
    await expect(engine.ports.vault.verifyChains(lj, [1, 9], nothing, ignore)).rejects.toMatchObject({ code: "point-unknown" });
  });
});

function captured(file: string, size: number): CapturedFile {
  return { path: file, how: "copy", why: "written", size, mode: 0o600, uid: 0, gid: 0, mtimeNs: "0", tailSha256: "", stored: null };
}

function digestOf(text: string): { readonly bytes: number; readonly sha256: string } {
  return { bytes: text.length, sha256: createHash("sha256").update(text).digest("hex") };
}
