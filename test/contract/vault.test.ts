import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  chmod,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { JobName } from "../../src/domain/job.ts";
import type { Damage, Making, ThinReport, Vault } from "../../src/engine/ports.ts";
import type { Fault } from "../../src/faults/fault.ts";
import { PAGE, pagemapOf, PRESENT, writePagemap } from "../../src/images/pagemap.ts";
import { openVault, type VaultOptions } from "../../src/vault/vault.ts";
import { message, mmImage, pstreeImage } from "../unit/images/encode.ts";
import { aJob, aManifest, aRun, lj, root } from "../unit/vault/specimens.ts";

const isRoot = process.geteuid?.() === 0;
const mounts: string[] = [];
let box: string;

beforeEach(async () => {
  box = await mkdtemp(path.join(os.tmpdir(), "holdfast-vault-"));
});

afterEach(async () => {
  for (const at of mounts.splice(0)) execFileSync("umount", [at]);
  await rm(box, { recursive: true, force: true });
});

const at = (...parts: readonly string[]): string => path.join(box, ...parts);
const inVault = (...parts: readonly string[]): string => at("vault", ...parts);

function open(changes: Partial<VaultOptions> = {}): Promise<Vault> {
  const random = (): string => randomBytes(16).toString("hex");
  return openVault({ path: inVault(), stagingPath: null, keyPath: null, random, now: () => 77, ...changes });
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "done",
    (error: Fault) => error.code,
  );
}

/** As CRIU and thin leave it. */
async function dump(vault: Vault, number: number, name: JobName = lj): Promise<Making> {
  const making = await vault.prepare(name, number);
  await mkdir(path.join(making.folder, "files"));
  await writeFile(path.join(making.folder, "pages-1.img"), `pages of ${number}`);
  await writeFile(path.join(making.folder, "files/1"), "captured");
  await writeFile(path.join(making.folder, "dump.log"), "the log");
  return making;
}

function digestOf(text: string) {
  return { bytes: Buffer.byteLength(text), sha256: createHash("sha256").update(text).digest("hex") };
}

async function take(vault: Vault, number: number, parent: number | null = null, name: JobName = lj): Promise<void> {
  const making = await dump(vault, number, name);
  if (parent !== null) await symlink(`../${parent}`, path.join(making.folder, "parent"));
  const linked = parent === null ? {} : ({ kind: "increment", parent: { number: parent, id: `id-${parent}` } } as const);
  await vault.seal(making, aManifest(number, { job: name, ...linked }), { "pages-1.img": digestOf(`pages of ${number}`) });
}

describe("a vault that is not there", () => {
  test("reads as empty, and reading makes nothing", async () => {
    const vault = await open();
    expect(vault.path).toBe(inVault());
    expect(await vault.jobNames()).toEqual([]);
    expect(await vault.readJob(lj)).toBeNull();
    expect(await vault.readHead(lj)).toEqual({ lastNumber: 0, bits: { type: "unknown", why: expect.any(String) } });
    expect(await vault.readMarks(lj)).toEqual({});
    expect(await vault.runs(lj)).toEqual([]);
    expect(await vault.unfinishedRuns(lj)).toEqual([]);
    expect(await vault.sealed(lj)).toEqual([]);
    expect((await vault.freeSpace()).vault).toBeGreaterThan(0);
    expect(await readdir(box)).toEqual([]);
  });

  test("is made by the first write, root's alone, with the key closed", async () => {
    await (await open()).writeJob(aJob());
    expect((await stat(inVault())).mode & 0o7777).toBe(0o700);
    expect((await stat(inVault("key"))).mode & 0o7777).toBe(0o600);
    expect(await readFile(inVault("key"), "utf8")).toMatch(/^[0-9a-f]{64}\n$/);
    expect(JSON.parse(await readFile(inVault("holdfast-vault.json"), "utf8"))).toMatchObject({
      format: 1,
      vault: { id: expect.stringMatching(/^[0-9a-f]{32}$/), createdAt: 77 },
    });
  });

  test("made by two at once ends with one key and one id", async () => {
    const vaults = await Promise.all([open(), open(), open(), open()]);
    const names = ["a", "b", "c", "d"] as JobName[];
    await Promise.all(vaults.map((vault, which) => take(vault, 1, null, names[which])));
    const reader = await open();
    for (const name of names) expect((await reader.manifest(name, 1)).job).toBe(name);
    expect((await readdir(inVault())).toSorted()).toEqual([".staging", "holdfast-vault.json", "jobs", "key"]);
  });

  test("takes over an empty folder, whatever its mode, also through a link", async () => {
    await mkdir(at("disk"), { mode: 0o755 });
    await mkdir(at("disk/lost+found"));
    await symlink("disk", inVault());
    await (await open()).writeJob(aJob());
    expect((await stat(at("disk"))).mode & 0o777).toBe(0o700);
    expect(await (await open()).jobNames()).toEqual([lj]);
  });

  test("is refused where others may enter and something else lies", async () => {
    await mkdir(inVault(), { mode: 0o755 });
    await writeFile(inVault("thesis.tex"), "x");
    expect(await codeOf((await open()).writeJob(aJob()))).toBe("vault-unwritable");
    expect((await stat(inVault())).mode & 0o777).toBe(0o755);
    expect(await readdir(inVault())).toEqual(["thesis.tex"]);
  });

  test("is refused where the path is a file, or goes through one", async () => {
    await writeFile(inVault(), "x");
    expect(await codeOf(open())).toBe("vault-unwritable");
    expect(await codeOf(open({ path: inVault("deeper") }))).toBe("vault-unwritable");
  });

  test.skipIf(!isRoot)("is refused in another user's folder (skipped unless root: chown)", async () => {
    await mkdir(inVault(), { mode: 0o700 });
    execFileSync("chown", ["65534", inVault()]);
    expect(await codeOf((await open()).writeJob(aJob()))).toBe("vault-unwritable");
  });
});

describe("the vault's own files", () => {
  test("a newer format is refused, and nothing is touched", async () => {
    await (await open()).writeJob(aJob());
    await writeFile(inVault("holdfast-vault.json"), '{"format": 2, "shape": "other"}');
    expect(await codeOf(open())).toBe("vault-newer");
  });

  test.each(["", "{", "[]", '"x"', '{"format":0}', '{"format":1}', '{"format":1,"vault":{"id":"../../etc","createdAt":1}}'])(
    "a damaged one is named: %s",
    async (text) => {
      await (await open()).writeJob(aJob());
      await writeFile(inVault("holdfast-vault.json"), text);
      await expect(open()).rejects.toMatchObject({
        code: "vault-file-damaged",
        message: expect.stringContaining("holdfast-vault.json"),
      });
    },
  );

  test("a vault that others could enter is closed by the next write", async () => {
    await (await open()).writeJob(aJob());
    await chmod(inVault(), 0o755);
    await (await open()).writeMarks(lj, {});
    expect((await stat(inVault())).mode & 0o777).toBe(0o700);
  });

  test("a vault that went away is not taken for an empty one, nor made anew", async () => {
    const vault = await open();
    await take(vault, 1);
    await rename(inVault(), at("unmounted"));
    await mkdir(inVault(), { mode: 0o700 });
    expect(await codeOf(vault.sealed(lj))).toBe("io-failed");
    expect(await codeOf(vault.writeJob(aJob()))).toBe("io-failed");
    await (await open()).writeJob(aJob());
    expect(await codeOf(vault.jobNames())).toBe("io-failed");
    await rm(inVault(), { recursive: true });
    await rename(at("unmounted"), inVault());
    expect(await vault.sealed(lj)).toEqual([1]);
  });

  test("a lost key is not replaced: the points stay, and are refused until it is back", async () => {
    await take(await open(), 1);
    await rename(inVault("key"), at("key.away"));
    const vault = await open();
    expect(await codeOf(vault.manifest(lj, 1))).toBe("key-unusable");
    expect(await codeOf(take(vault, 2))).toBe("key-unusable");
    await rm(inVault("holdfast-vault.json"));
    expect(await codeOf((await open()).writeJob(aJob()))).toBe("key-unusable");
    await rename(at("key.away"), inVault("key"));
    const again = await open();
    await again.writeJob(aJob());
    expect((await again.manifest(lj, 1)).number).toBe(1);
  });

  test("a key that others may read, or of the wrong form, is refused", async () => {
    await take(await open(), 1);
    await chmod(inVault("key"), 0o644);
    expect(await codeOf((await open()).manifest(lj, 1))).toBe("key-unusable");
    await chmod(inVault("key"), 0o600);
    await writeFile(inVault("key"), "short\n");
    expect(await codeOf((await open()).manifest(lj, 1))).toBe("key-unusable");
  });

  test("a key kept elsewhere is made there, and one host's key serves two vaults", async () => {
    const keyPath = at("etc/holdfast/key");
    await take(await open({ keyPath }), 1);
    await take(await open({ keyPath, path: at("other") }), 1);
    expect(await readdir(inVault())).not.toContain("key");
    expect((await (await open({ keyPath, path: at("other") })).manifest(lj, 1)).number).toBe(1);
    expect(await codeOf((await open({ keyPath: at("none") })).manifest(lj, 1))).toBe("key-unusable");
  });
});

describe("jobs", () => {
  test.each(["a", "0", "_", "A.b_c-9", "x".repeat(64), "__proto__", "constructor", "a-1", "job.json", "1"])(
    "one named %s is written, listed, read and removed",
    async (text) => {
      const name = text as JobName;
      const vault = await open();
      const job = aJob(name, { env: { "odd \u{1f600}\n": "\ud800 lone", EMPTY: "" }, command: [], schedule: null, user: "nobody" });
      await vault.writeJob(job);
      await take(vault, 1, null, name);
      expect(await (await open()).jobNames()).toEqual([name]);
      expect(await (await open()).readJob(name)).toEqual(job);
      expect(await vault.sealed(name)).toEqual([1]);
      await vault.removeJob(name);
      await vault.removeJob(name);
      expect(await vault.jobNames()).toEqual([]);
      expect(await readdir(inVault("jobs"))).toEqual([]);
    },
  );

  test.each(["..", ".", "", "a/b", "-x", ".hidden", "x".repeat(65), "a\0b"])("no path is made of %j", async (text) => {
    const vault = await open();
    await vault.writeJob(aJob());
    await expect(vault.readHead(text as JobName)).rejects.toThrow("not a job's name");
    await expect(vault.removeJob(text as JobName)).rejects.toThrow("not a job's name");
    expect(() => vault.generationFolder(text as JobName, 1)).toThrow("not a job's name");
    expect(await vault.jobNames()).toEqual([lj]);
  });

  test("listing passes by what is no job", async () => {
    const vault = await open();
    await vault.writeJob(aJob());
    await mkdir(inVault("jobs/empty"));
    await mkdir(inVault("jobs/.gone-x-00000000"));
    await mkdir(inVault("jobs/-dash"));
    await writeFile(inVault("jobs/file"), "x");
    expect(await vault.jobNames()).toEqual([lj]);
  });

  test.each(["job.json", "head.json", "marks.json", "runs/1/run.json"])("a damaged or newer %s is told by name", async (file) => {
    const vault = await open();
    await vault.writeJob(aJob());
    await vault.writeHead(lj, { lastNumber: 1, bits: { type: "unknown", why: "x" } });
    await vault.writeMarks(lj, { "1": { held: true } });
    await vault.writeRun(lj, aRun(1));
    const read = (): Promise<unknown> => {
      if (file === "job.json") return vault.readJob(lj);
      if (file === "head.json") return vault.readHead(lj);
      return file === "marks.json" ? vault.readMarks(lj) : vault.runs(lj);
    };
    const where = inVault("jobs/lj", file);
    const whole = await readFile(where, "utf8");
    expect((await lstat(where)).mode & 0o777).toBe(0o600);
    for (const text of [
      whole.slice(0, -10),
      "",
      whole.replace('"format": 1,', '"format": 1, "extra": true,'),
      whole.replaceAll("1", '"1"'),
    ]) {
      await writeFile(where, text);
      // A head that cannot be read is no reason to take nothing: the next generation is a base, and says why.
      if (file === "head.json")
        expect(await read()).toMatchObject({ bits: { type: "unknown", why: expect.stringContaining(where) } });
      else await expect(read()).rejects.toMatchObject({ code: "vault-file-damaged", message: expect.stringContaining(where) });
    }
    await writeFile(where, whole.replace('"format": 1', '"format": 7'));
    await expect(read()).rejects.toMatchObject({ code: "vault-newer" });
  });

  test("content that could not be read back is never written", async () => {
    const vault = await open();
    await expect(vault.writeJob(aJob(lj, { maxChain: Number.NaN }))).rejects.toThrow("maxChain");
    expect(await vault.jobNames()).toEqual([]);
  });
});

describe("head and marks", () => {
  test("a head is read as it was written", async () => {
    const vault = await open();
    const head = {
      lastNumber: 7,
      bits: { type: "known", generation: 7, id: "x", root, run: 2, criu: "4.2.1", tracking: "soft-dirty" },
    } as const;
    await vault.writeHead(lj, head);
    expect(await (await open()).readHead(lj)).toEqual(head);
  });

  test("a lost head knows nothing of the bits, and uses no number twice", async () => {
    const vault = await open();
    await take(vault, 3);
    await dump(vault, 4);
    await vault.writeHead(lj, { lastNumber: 9, bits: { type: "unknown", why: "x" } });
    expect((await vault.readHead(lj)).lastNumber).toBe(9);
    await rm(inVault("jobs/lj/head.json"));
    expect(await vault.readHead(lj)).toMatchObject({ lastNumber: 4, bits: { type: "unknown" } });
  });

  test("marks are replaced whole", async () => {
    const vault = await open();
    await vault.writeMarks(lj, { "1": { held: true, provenAt: 5 }, "2": { state: "damaged", reason: "x" } });
    await vault.writeMarks(lj, { "2": { state: "failed" } });
    expect(await vault.readMarks(lj)).toEqual({ "2": { state: "failed" } });
  });
});

describe("runs and folders", () => {
  test("runs come back in order of their number", async () => {
    const vault = await open();
    for (const number of [10, 2, 1]) await vault.writeRun(lj, aRun(number, { init: null, from: number === 1 ? null : 1 }));
    await vault.writeRun(lj, aRun(2, { endedAt: 8, ending: { type: "signaled", signal: 9 } }));
    const runs = await vault.runs(lj);
    expect(runs.map((run) => run.number)).toEqual([1, 2, 10]);
    expect(runs[1]?.ending).toEqual({ type: "signaled", signal: 9 });
  });

  test("a run that was begun and never written down is unfinished, until it is written or thrown away", async () => {
    const vault = await open();
    const folder = await vault.runFolder(lj, 1);
    expect(await vault.runFolder(lj, 2)).toBe(inVault("jobs/lj/runs/2"));
    await writeFile(path.join(folder, "init"), "12\n");
    const undoFolder = vault.undoFolder(lj, 1);
    expect(await vault.unfinishedRuns(lj)).toEqual([
      { number: 1, folder, undoFolder },
      { number: 2, folder: inVault("jobs/lj/runs/2"), undoFolder: inVault("jobs/lj/undo/2") },
    ]);
    await vault.writeRun(lj, aRun(2));
    await vault.removeRunFolder(lj, 1);
    await vault.removeRunFolder(lj, 1);
    expect(await vault.unfinishedRuns(lj)).toEqual([]);
    expect(await readdir(inVault("jobs/lj/runs"))).toEqual(["2"]);
  });

  test("what a restore is about to do is kept in its run's folder, and goes with it", async () => {
    const vault = await open();
    expect(await vault.readBeginning(lj, 2)).toBeNull();
    await vault.writeBeginning(lj, 2, { from: 41, at: 7, by: "service" });
    expect((await vault.unfinishedRuns(lj)).map((run) => run.number)).toEqual([2]);
    expect(await (await open()).readBeginning(lj, 2)).toEqual({ from: 41, at: 7, by: "service" });
    await vault.writeRun(lj, aRun(2, { from: 41 }));
    expect(await vault.readBeginning(lj, 2)).toEqual({ from: 41, at: 7, by: "service" });
    await vault.removeRunFolder(lj, 2);
    expect(await vault.readBeginning(lj, 2)).toBeNull();
  });

  test("the folder of output is there, closed to others", async () => {
    const folder = await (await open()).outputFolder(lj);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
  });

  test("of the logs the newest fifty stay, the one to be written included", async () => {
    const vault = await open();
    for (let each = 0; each < 60; each++) {
      const log = await vault.logFile(lj, `dump-${each}.log`);
      await writeFile(log, String(each));
      await utimes(log, 1000 + each, 1000 + each);
    }
    const kept = await readdir(inVault("jobs/lj/logs"));
    expect(kept).toHaveLength(50);
    expect(kept).toContain("dump-59.log");
    expect(kept).toContain("dump-10.log");
    await expect(vault.logFile(lj, "../job.json")).rejects.toThrow("not a log's name");
  });
});

describe("making and sealing", () => {
  test("a making is two fresh, closed folders, and no generation", async () => {
    const vault = await open();
    const left = await dump(vault, 1);
    await writeFile(path.join(left.staging, "core-2.img"), "x");
    const making = await vault.prepare(lj, 1);
    expect(making).toEqual(left);
    for (const folder of [making.staging, making.folder]) {
      expect(await readdir(folder)).toEqual([]);
      expect((await stat(folder)).mode & 0o777).toBe(0o700);
    }
    expect(path.dirname(making.folder)).toBe(path.dirname(vault.generationFolder(lj, 1)));
    expect(await vault.sealed(lj)).toEqual([]);
    await vault.discard(making);
    await vault.discard(making);
    expect(await readdir(inVault("jobs/lj/generations"))).toEqual([]);
    expect(await readdir(inVault(".staging"))).toEqual([]);
  });

  test("a sealed generation is a plain directory whose manifest covers every file", async () => {
    const vault = await open();
    await take(vault, 1);
    await take(vault, 2, 1);
    expect(await (await open()).sealed(lj)).toEqual([1, 2]);
    const manifest = await vault.manifest(lj, 2);
    expect(manifest).toEqual({
      ...aManifest(2, { kind: "increment", parent: { number: 1, id: "id-1" } }),
      digests: { "dump.log": digestOf("the log"), "files/1": digestOf("captured"), "pages-1.img": digestOf("pages of 2") },
    });
    const folder = vault.generationFolder(lj, 2);
    expect((await readdir(folder)).toSorted()).toEqual(["dump.log", "files", "holdfast.json", "pages-1.img", "parent"]);
    expect(await readFile(path.join(folder, "parent/pages-1.img"), "utf8")).toBe("pages of 1");
    expect(await readdir(inVault(".staging"))).toEqual([]);
    expect((await readdir(inVault("jobs/lj/generations"))).toSorted()).toEqual(["1", "2"]);
  });

  test("the bytes are those of the digests", async () => {
    const vault = await open();
    const { bytes } = await vault.seal(await dump(vault, 1), aManifest(1), {});
    expect(bytes).toBe("pages of 1".length + "captured".length + "the log".length);
  });

  test("discarding after the seal leaves the generation", async () => {
    const vault = await open();
    const making = await dump(vault, 1);
    await vault.seal(making, aManifest(1), {});
    await vault.discard(making);
    expect(await vault.sealed(lj)).toEqual([1]);
  });

  test("a number is never used twice", async () => {
    const vault = await open();
    await take(vault, 1);
    await expect(vault.prepare(lj, 1)).rejects.toThrow("already used");
    expect((await vault.manifest(lj, 1)).number).toBe(1);
  });

  test("what does not fit its digests, is missing, or points elsewhere is not sealed", async () => {
    const vault = await open();
    const making = await dump(vault, 1);
    expect(await codeOf(vault.seal(making, aManifest(1), { "pages-1.img": digestOf("longer than it is") }))).toBe("io-failed");
    expect(await codeOf(vault.seal(making, aManifest(1), { "pages-9.img": digestOf("x") }))).toBe("io-failed");
    await expect(vault.seal(making, aManifest(2), {})).rejects.toThrow("another generation");
    await symlink("/etc/passwd", path.join(making.folder, "core-1.img"));
    await expect(vault.seal(making, aManifest(1), {})).rejects.toThrow("/etc/passwd");
    await rm(path.join(making.folder, "core-1.img"));
    await symlink("../7", path.join(making.folder, "parent"));
    await expect(vault.seal(making, aManifest(1), {})).rejects.toThrow("../7");
    expect(await vault.sealed(lj)).toEqual([]);
    await rm(path.join(making.folder, "parent"));
    await vault.seal(making, aManifest(1), {});
    expect(await vault.sealed(lj)).toEqual([1]);
  });

  test("odd names and long texts in a capture come back as they were", async () => {
    const vault = await open();
    const file = {
      path: '/w/ "quoted"\n\t\u{1f600}\ud800',
      how: "copy",
      why: "é",
      size: 2 ** 52,
      mode: 0o644,
      uid: 0,
      gid: 4_294_967_294,
      mtimeNs: "1795000000123456789",
      tailSha256: digestOf("").sha256,
      stored: "files/1",
    } as const;
    const capture = { files: [file], folders: [{ path: "/w", mode: 0o1777, uid: 1, gid: 2 }], needed: [] };
    await vault.seal(await dump(vault, 1), aManifest(1, { capture }), {});
    expect((await (await open()).manifest(lj, 1)).capture).toEqual(capture);
  });
});

describe("a chain", () => {
  /** A process of four pages, one letter each, dumped by CRIU and taken through thin. */
  async function takePages(vault: Vault, number: number, letters: string, parent: number | null): Promise<ThinReport> {
    const making = await vault.prepare(lj, number);
    const images = {
      "pstree.img": pstreeImage(message([1, 2], [2, 0], [3, 2], [4, 2], [5, 2])),
      "mm-2.img": mmImage({ page: 16, pages: 4 }),
      "pagemap-2.img": writePagemap(pagemapOf(1, [{ page: 16, pages: 4, flags: PRESENT }])),
      "pages-1.img": Buffer.concat(letters.split("").map((letter) => Buffer.alloc(PAGE, letter))),
    };
    for (const [name, bytes] of Object.entries(images)) await writeFile(path.join(making.staging, name), bytes);
    await mkdir(path.join(making.folder, "files"));
    await writeFile(path.join(making.folder, "files/1"), `captured at ${number}`);
    const thin = await vault.thin(making, parent, () => undefined);
    const linked = parent === null ? {} : ({ kind: "increment", parent: { number: parent, id: `id-${parent}` } } as const);
    await vault.seal(making, aManifest(number, linked), { ...thin.digests, "files/1": digestOf(`captured at ${number}`) });
    return thin;
  }

  async function threeOf(vault: Vault): Promise<void> {
    await takePages(vault, 1, "abcd", null);
    await takePages(vault, 2, "aBcd", 1);
    await takePages(vault, 4, "aBcD", 2);
  }

  const verify = (vault: Vault, number: number): Promise<readonly Damage[]> => vault.verifyChain(lj, number, () => undefined);

  test("keeps what changed, reads back whole, and is written out alone", async () => {
    const vault = await open();
    expect(await takePages(vault, 1, "abcd", null)).toMatchObject({ pagesKept: 4, pagesShared: 0, highestPid: 2, processes: 1 });
    expect(await takePages(vault, 2, "aBcd", 1)).toMatchObject({ pagesKept: 1, pagesShared: 3 });
    await takePages(vault, 4, "aBcD", 2);
    for (const number of [1, 2, 4]) expect(await verify(vault, number)).toEqual([]);

    const before = await readdir(vault.generationFolder(lj, 4));
    await vault.flatten(lj, 4, at("out"));
    expect((await readFile(at("out/pages-1.img"))).filter((_, index) => index % PAGE === 0).toString()).toBe("aBcD");
    expect((await readdir(at("out"))).toSorted()).toEqual(before.filter((name) => name !== "parent").toSorted());
    expect(await readFile(at("out/files/1"), "utf8")).toBe("captured at 4");
    expect(await codeOf(vault.flatten(lj, 4, at("out")))).toBe("directory-not-empty");
    expect(await codeOf(vault.flatten(lj, 3, at("other")))).toBe("point-unknown");
    expect(await codeOf(verify(vault, 3))).toBe("point-unknown");
  });

  test("progress is told, up to the whole", async () => {
    const vault = await open();
    await threeOf(vault);
    let last = [0, -1];
    await vault.verifyChain(lj, 4, (bytes, total) => void (last = [bytes, total]));
    expect(last[0]).toBe(last[1]);
  });

  test("a changed byte anywhere below is damage, of the generation it lies in", async () => {
    const vault = await open();
    await threeOf(vault);
    const pages = path.join(vault.generationFolder(lj, 1), "pages-1.img");
    const bytes = await readFile(pages);
    await writeFile(pages, bytes.with(PAGE, 7));
    expect(await verify(vault, 4)).toEqual([{ number: 1, file: "pages-1.img", why: expect.any(String) }]);
    await writeFile(path.join(vault.generationFolder(lj, 2), "files/1"), "shorter");
    expect((await verify(vault, 4)).map(({ number, file }) => [number, file])).toEqual([
      [1, "pages-1.img"],
      [2, "files/1"],
    ]);
  });

  test("a parent that is gone, forged, or another than it was, is damage, and nothing is made on it", async () => {
    const vault = await open();
    await threeOf(vault);
    const [one, two] = [vault.generationFolder(lj, 1), vault.generationFolder(lj, 2)];
    await rename(one, at("one"));
    expect(await verify(vault, 4)).toEqual([{ number: 1, file: "holdfast.json", why: expect.any(String) }]);
    expect(await codeOf(vault.flatten(lj, 4, at("out")))).toBe("chain-broken");
    expect(await codeOf(takePages(vault, 5, "aBCD", 4))).toBe("chain-broken");

    // The key's holder made another generation of that number.
    const making = await vault.prepare(lj, 1);
    await vault.seal(making, aManifest(1, { id: "another" }), {});
    expect(await verify(vault, 4)).toEqual([{ number: 2, file: "holdfast.json", why: expect.stringContaining("made on") }]);
    await vault.remove(lj, 1);
    await rename(at("one"), one);
    expect(await verify(vault, 4)).toEqual([]);

    const manifest = path.join(two, "holdfast.json");
    await writeFile(manifest, (await readFile(manifest, "utf8")).replace('"id-1"', '"id-9"'));
    expect(await verify(vault, 4)).toEqual([{ number: 2, file: "holdfast.json", why: expect.stringContaining("key") }]);
    expect(await codeOf(takePages(vault, 6, "aBCD", 4))).toBe("manifest-forged");
    expect(await verify(vault, 1)).toEqual([]);
  });

  test.skipIf(!isRoot)(
    "is verified and written out from a read-only vault, and a full target is named (skipped unless root: mount)",
    async () => {
      const vault = await open();
      await threeOf(vault);
      execFileSync("mount", ["--bind", inVault(), inVault()]);
      mounts.push(inVault());
      execFileSync("mount", ["-o", "remount,bind,ro", inVault()]);
      expect(await verify(await open(), 4)).toEqual([]);
      await (await open()).flatten(lj, 4, at("out"));
      await mkdir(at("small"));
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=8k", "tmpfs", at("small")]);
      mounts.push(at("small"));
      await expect((await open()).flatten(lj, 4, at("small/out"))).rejects.toMatchObject({
        code: "vault-full",
        message: expect.stringContaining(at("small/out")),
      });
    },
  );
});

describe("staging elsewhere", () => {
  test("has this vault's name on it, and is swept for one job alone", async () => {
    const stagingPath = at("fast/disk");
    const vault = await open({ stagingPath });
    const other = await open({ stagingPath, path: at("other") });
    const names = ["a", "a-1", "a-1-2"] as JobName[];
    for (const name of names) await dump(vault, 2, name);
    const others = await dump(other, 2, "a" as JobName);
    expect(path.basename(others.staging)).toMatch(/^holdfast-[0-9a-f]{32}-a-2$/);
    expect(await readdir(stagingPath)).toHaveLength(4);
    expect((await vault.sweepLeftovers("a" as JobName)).toSorted()).toEqual([".making-2", expect.stringMatching(/-a-2$/)]);
    const left = (await readdir(stagingPath)).map((name) => name.replace(/^holdfast-[0-9a-f]{32}-/, "")).toSorted();
    expect(left).toEqual(["a-1-2", "a-1-2-2", "a-2"]);
  });

  test.skipIf(!isRoot)(
    "a folder that somebody else put there is refused, not followed or emptied (skipped unless root: chown)",
    async () => {
      const stagingPath = at("shared");
      const vault = await open({ stagingPath });
      const { staging } = await dump(vault, 1);
      await writeFile(path.join(staging, "theirs"), "x");
      execFileSync("chown", ["-R", "65534", staging]);
      expect(await codeOf(vault.prepare(lj, 1))).toBe("vault-unwritable");
      expect(await readdir(staging)).toEqual(["theirs"]);
      await rm(staging, { recursive: true });
      await mkdir(at("victim"));
      await writeFile(at("victim/file"), "x");
      await symlink(at("victim"), staging);
      await vault.prepare(lj, 1);
      expect(await readdir(at("victim"))).toEqual(["file"]);
      expect((await lstat(staging)).isDirectory()).toBe(true);
    },
  );
});

describe("sweeping and removing", () => {
  test("removing one generation leaves the others, and is harmless twice", async () => {
    const vault = await open();
    for (const number of [1, 2, 10]) await take(vault, number);
    await vault.remove(lj, 2);
    await vault.remove(lj, 2);
    expect(await vault.sealed(lj)).toEqual([1, 10]);
    expect(await codeOf(vault.manifest(lj, 2))).toBe("point-unknown");
    expect((await readdir(inVault("jobs/lj/generations"))).toSorted()).toEqual(["1", "10"]);
  });

  test("a sweep takes leftovers alone, and names the folders", async () => {
    const vault = await open();
    await vault.writeJob(aJob());
    await take(vault, 1);
    await dump(vault, 2);
    const generations = inVault("jobs/lj/generations");
    await mkdir(path.join(generations, ".gone-7/files"), { recursive: true });
    await mkdir(inVault("jobs/lj/runs/.gone-3"), { recursive: true });
    await mkdir(inVault("jobs/.gone-old-00112233/generations"), { recursive: true });
    await writeFile(inVault("jobs/lj/.head.json.0011aabb.tmp"), "{");
    await writeFile(inVault("jobs/lj/notes.tmp"), "mine");
    expect((await vault.sweepLeftovers(lj)).toSorted()).toEqual([".gone-3", ".gone-7", ".making-2", "lj-2"]);
    expect(await readdir(generations)).toEqual(["1"]);
    expect((await readdir(inVault("jobs/lj"))).toSorted()).toEqual(["generations", "job.json", "notes.tmp", "runs"]);
    expect(await readdir(inVault("jobs"))).toEqual(["lj"]);
    expect(await vault.sweepLeftovers(lj)).toEqual([]);
  });

  test("a directory without a manifest, or of another name, is no generation", async () => {
    const vault = await open();
    await take(vault, 1);
    await mkdir(inVault("jobs/lj/generations/2"));
    await cp(inVault("jobs/lj/generations/1"), inVault("jobs/lj/generations/03"), { recursive: true });
    await cp(inVault("jobs/lj/generations/1"), inVault("jobs/lj/generations/x"), { recursive: true });
    expect(await vault.sealed(lj)).toEqual([1]);
    expect(await codeOf(vault.manifest(lj, 2))).toBe("point-unknown");
    expect(await codeOf(vault.manifest(lj, 4))).toBe("point-unknown");
  });
});

describe("a manifest", () => {
  const file = (): string => inVault("jobs/lj/generations/1/holdfast.json");

  test.each([
    ["a value", (text: string) => text.replace('"criu": "4.2.1"', '"criu": "4.2.2"')],
    ["a digest", (text: string) => text.replace(digestOf("captured").sha256, digestOf("forged").sha256)],
    ["one digit of the mac", (text: string) => text.replace(/"mac": "(.)/, (_, first) => `"mac": "${first === "0" ? "1" : "0"}`)],
    ["the mac's length", (text: string) => text.replace(/"mac": "../, '"mac": "')],
    ["the mac left out", (text: string) => text.replace(/,\s*"mac": "[0-9a-f]*"/, "")],
    ["a key added", (text: string) => text.replace("{", '{ "extra": 1,')],
    ["an option added", (text: string) => text.replace('"--tcp-established"', '"--tcp-established", "--action-script=/tmp/x"')],
  ])("with %s changed is forged", async (_, forge) => {
    await take(await open(), 1);
    const whole = await readFile(file(), "utf8");
    expect(forge(whole)).not.toBe(whole);
    await writeFile(file(), forge(whole));
    expect(await codeOf((await open()).manifest(lj, 1))).toBe("manifest-forged");
  });

  test("under another key cannot be judged, and the layout of its text means nothing", async () => {
    await take(await open(), 1);
    const { mac, format, ...rest } = JSON.parse(await readFile(file(), "utf8"));
    await writeFile(file(), JSON.stringify({ mac, ...rest, format }));
    expect((await (await open()).manifest(lj, 1)).id).toBe("id-1");
    await writeFile(inVault("key"), `${"ab".repeat(32)}\n`);
    // Not the manifest is wrong then, but the key.
    expect(await codeOf((await open()).manifest(lj, 1))).toBe("key-unusable");
  });

  test("cut short, empty or of a newer format is told as such", async () => {
    await take(await open(), 1);
    const vault = await open();
    const whole = await readFile(file(), "utf8");
    for (const text of ["", whole.slice(0, 100), "null"]) {
      await writeFile(file(), text);
      expect(await codeOf(vault.manifest(lj, 1))).toBe("vault-file-damaged");
    }
    await writeFile(file(), whole.replace('"format": 1', '"format": 2'));
    expect(await codeOf(vault.manifest(lj, 1))).toBe("vault-newer");
    expect(await vault.sealed(lj)).toEqual([1]);
  });

  test("of a directory that was copied or renamed is refused as damage, with an older point named", async () => {
    const vault = await open();
    await take(vault, 1);
    await take(vault, 2);
    await rename(vault.generationFolder(lj, 2), vault.generationFolder(lj, 3));
    await expect(vault.manifest(lj, 3)).rejects.toMatchObject({
      code: "point-damaged",
      remedy: expect.stringContaining("--point 1"),
    });
    await cp(inVault("jobs/lj"), inVault("jobs/copy"), { recursive: true });
    expect(await codeOf(vault.manifest("copy" as JobName, 1))).toBe("point-damaged");
  });
});

describe.skipIf(!isRoot)("a vault on a small or read-only mount (skipped unless root: mount)", () => {
  async function mountVault(options: string): Promise<void> {
    await mkdir(inVault());
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", inVault()]);
    mounts.push(inVault());
  }

  test("that is full refuses each write, seals nothing, and goes on when there is room again", async () => {
    await mountVault("size=2m");
    const vault = await open();
    await vault.writeJob(aJob());
    await take(vault, 1);
    const before = await vault.readHead(lj);
    const making = await dump(vault, 2);
    let filler = 2 << 20;
    for (; filler >= 1; filler >>= 1) {
      const fill = randomBytes(filler);
      await writeFile(inVault(`filler-${filler}`), fill).catch(() => undefined);
    }
    expect(await codeOf(vault.seal(making, aManifest(2), {}))).toBe("vault-full");
    expect(await codeOf(vault.writeJob(aJob(lj, { keep: "last=1" })))).toBe("vault-full");
    expect(await codeOf(vault.writeHead(lj, { lastNumber: 2, bits: { type: "unknown", why: "x" } }))).toBe("vault-full");
    expect(await vault.sealed(lj)).toEqual([1]);
    expect(await vault.readJob(lj)).toEqual(aJob());
    expect({ ...(await vault.readHead(lj)), lastNumber: 1 }).toEqual(before);
    expect((await readdir(inVault("jobs/lj"))).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    await vault.discard(making);
    for (const name of await readdir(inVault())) if (name.startsWith("filler-")) await rm(inVault(name));
    await take(vault, 3, 1);
    expect(await vault.sealed(lj)).toEqual([1, 3]);
  });

  test("without a free inode is full too", async () => {
    await mountVault("size=2m,nr_inodes=24");
    const vault = await open();
    await vault.writeJob(aJob());
    const making = await dump(vault, 1);
    for (let each = 0; each < 24; each++) await writeFile(inVault(`filler-${each}`), "").catch(() => undefined);
    expect(await codeOf(vault.seal(making, aManifest(1), {}))).toBe("vault-full");
    expect(await codeOf(vault.prepare(lj, 2))).toBe("vault-full");
    expect(await vault.sealed(lj)).toEqual([]);
  });

  test("that is read-only is read, and every write is refused", async () => {
    await mountVault("size=2m");
    const writer = await open();
    await writer.writeJob(aJob());
    await writer.writeRun(lj, aRun(1));
    await take(writer, 1);
    const making = await dump(writer, 2);
    execFileSync("mount", ["-o", "remount,ro", inVault()]);
    for (const vault of [await open(), writer]) {
      expect(await vault.jobNames()).toEqual([lj]);
      expect((await vault.manifest(lj, 1)).number).toBe(1);
      expect(await vault.runs(lj)).toHaveLength(1);
      expect((await vault.freeSpace()).vault).toBeGreaterThan(0);
      for (const refused of [
        () => vault.writeJob(aJob()),
        () => vault.writeHead(lj, { lastNumber: 1, bits: { type: "unknown", why: "x" } }),
        () => vault.writeMarks(lj, {}),
        () => vault.writeRun(lj, aRun(2)),
        () => vault.runFolder(lj, 3),
        () => vault.outputFolder(lj),
        () => vault.logFile(lj, "x.log"),
        () => vault.prepare(lj, 3),
        () => vault.seal(making, aManifest(2), {}),
        () => vault.discard(making),
        () => vault.remove(lj, 1),
        () => vault.removeJob(lj),
        () => vault.sweepLeftovers(lj),
      ]) {
        expect(await codeOf(refused())).toBe("vault-unwritable");
      }
      expect(await vault.sealed(lj)).toEqual([1]);
    }
  });

  test("that is read-only and empty cannot be made", async () => {
    await mountVault("size=2m,ro");
    const vault = await open();
    expect(await vault.jobNames()).toEqual([]);
    expect(await codeOf(vault.writeJob(aJob()))).toBe("vault-unwritable");
  });

  test("tells how much room there is, in the vault and in staging", async () => {
    await mountVault("size=2m");
    const here = await (await open()).freeSpace();
    expect(here.vault).toBeLessThanOrEqual(2 << 20);
    expect(here.staging).toBe(here.vault);
    const apart = await (await open({ stagingPath: at("not/there/yet") })).freeSpace();
    expect(apart.staging).toBeGreaterThan(2 << 20);
  });
});
