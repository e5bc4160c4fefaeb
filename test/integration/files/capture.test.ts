import { createHash } from "node:crypto";
import {
  appendFileSync,
  chownSync,
  lchownSync,
  symlinkSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Capture, CapturedFile } from "../../../src/domain/captured.ts";
import { openFiles } from "../../../src/host/files/files.ts";
import { rules, Scene } from "./scene.ts";

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});
afterEach(() => {
  scene.remove();
});

const sha256 = (content: string | Buffer): string => createHash("sha256").update(content).digest("hex");
const only = (capture: Capture): CapturedFile => {
  expect(capture.files).toHaveLength(1);
  return capture.files[0] as CapturedFile;
};

describe("capture", () => {
  test("an append-only file is kept by its length; nothing is stored", async () => {
    const log = join(scene.work, "log");
    writeFileSync(log, "one\n", { mode: 0o640 });
    scene.open(log, "a");
    const { capture, digests } = await scene.captured();
    const { mtimeNs, uid, gid } = statSync(log, { bigint: true });
    expect(capture.files).toEqual([
      {
        path: log,
        how: "length",
        why: "only appended to",
        size: 4,
        mode: 0o640,
        uid: Number(uid),
        gid: Number(gid),
        mtimeNs: `${mtimeNs}`,
        tailSha256: sha256("one\n"),
        stored: null,
      },
    ]);
    expect(digests).toEqual({});
    expect(existsSync(join(scene.generation, "files"))).toBe(false);
  });

  test("what is appended between the freeze and the settling is not in the length nor in the tail", async () => {
    const log = join(scene.work, "log");
    writeFileSync(log, "x".repeat(100_000));
    scene.open(log, "a");
    const frozen = await scene.files.capture(scene.tree(), rules, scene.generation, null);
    appendFileSync(log, "later");
    const { capture } = await scene.files.settle(frozen, scene.generation, null);
    expect(only(capture)).toMatchObject({ how: "length", size: 100_000, tailSha256: sha256("x".repeat(65_536)) });
  });

  test("a file open for writing anywhere in it is stored as it was at the freeze, with its digest", async () => {
    const out = join(scene.work, "out");
    writeFileSync(out, "before");
    scene.open(out, "r+");
    const frozen = await scene.files.capture(scene.tree(), rules, scene.generation, null);
    writeFileSync(out, "after!!");
    const { capture, digests } = await scene.files.settle(frozen, scene.generation, null);
    expect(only(capture)).toMatchObject({ how: "copy", size: 6, stored: "files/0", tailSha256: sha256("before") });
    expect(readFileSync(join(scene.generation, "files/0"), "utf8")).toBe("before");
    expect(digests).toEqual({ "files/0": { bytes: 6, sha256: sha256("before") } });
  });

  test("the tail of a large copy is that of its last 64 KiB", async () => {
    const content = Buffer.from(Array.from({ length: 200_000 }, (_, at) => at % 251));
    const out = join(scene.work, "out");
    writeFileSync(out, content);
    scene.open(out, "r+");
    const { capture, digests } = await scene.captured();
    expect(only(capture).tailSha256).toBe(sha256(content.subarray(-65_536)));
    expect(digests["files/0"]).toEqual({ bytes: 200_000, sha256: sha256(content) });
  });

  test("over the limit it is left out, by name and with the reason", async () => {
    const out = join(scene.work, "out");
    writeFileSync(out, "0123456789");
    scene.open(out, "r+");
    const { capture } = await scene.captured({ limitBytes: 9 });
    expect(only(capture)).toMatchObject({ how: "left-out", size: 10, stored: null, tailSha256: sha256("0123456789") });
    expect(only(capture).why).toContain("limit of 9 bytes");
  });

  test("a shared writable mapping is stored though no descriptor is open", async () => {
    const field = join(scene.work, "field");
    writeFileSync(field, "cells");
    scene.map(field, { shared: true, writable: true });
    const { capture } = await scene.captured();
    expect(only(capture)).toMatchObject({ how: "copy", why: "mapped shared and writable", size: 5 });
  });

  test("a file whose path leads to another one by now is read through the descriptor, and is never kept by length", async () => {
    const log = join(scene.work, "log");
    writeFileSync(log, "held by the job");
    scene.open(log, "a");
    renameSync(log, `${log}.1`);
    writeFileSync(log, "a new one");
    const { capture } = await scene.captured();
    expect(only(capture)).toMatchObject({ path: log, how: "copy", size: 15 });
    expect(readFileSync(join(scene.generation, "files/0"), "utf8")).toBe("held by the job");
  });

  test("a temporary file is stored with its folders, open for reading only too", async () => {
    const folder = join(scene.temporary, "ompi", "pid.7");
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, "hwloc.sm"), "topology");
    scene.open(join(folder, "hwloc.sm"), "r");
    const { capture } = await scene.captured();
    expect(only(capture)).toMatchObject({ how: "copy", size: 8 });
    const uid = process.getuid?.();
    const gid = process.getgid?.();
    expect(capture.folders).toEqual([
      { path: join(scene.temporary, "ompi"), mode: 0o700, uid, gid },
      { path: folder, mode: 0o700, uid, gid },
    ]);
  });

  test.skipIf(!existsSync("/dev/shm"))(
    "a file on a tmpfs is stored, whatever the roots (skipped where there is no /dev/shm)",
    async () => {
      const segment = join("/dev/shm", `holdfast-test-${process.pid}`);
      writeFileSync(segment, "shared");
      try {
        scene.open(segment, "r");
        const capture = await openFiles({ temporaryRoots: [] }).capture(scene.tree(), rules, scene.generation, null);
        expect(only(capture)).toMatchObject({ how: "copy", why: "in the temporary place /dev/shm" });
      } finally {
        rmSync(segment);
      }
    },
  );

  test("include rules are read from the job's folder and take a folder whole; exclude rules win", async () => {
    mkdirSync(join(scene.work, "results", ".deep"), { recursive: true });
    for (const name of ["results/a", "results/.deep/b", "x.dat", "y.dat"]) writeFileSync(join(scene.work, name), name);
    const { capture } = await scene.captured({ include: ["results", "*.dat", join(scene.base, "none*")], exclude: ["y.dat"] });
    const names = capture.files.map(({ path, how }) => `${how} ${path.slice(scene.work.length + 1)}`);
    expect(names).toEqual(["copy results/.deep/b", "copy results/a", "copy x.dat"]);
  });

  test.skipIf(process.getuid?.() !== 0)(
    "an include rule does not follow a user's link to another's file (skipped: needs root to chown)",
    async () => {
      const real = join(scene.base, "real");
      mkdirSync(real);
      for (const [name, owner] of [
        ["own", 1234],
        ["roots", 0],
      ] as const) {
        writeFileSync(join(real, name), name);
        chownSync(join(real, name), owner, owner);
      }
      symlinkSync(real, join(scene.work, "link"));
      lchownSync(join(scene.work, "link"), 1234, 1234);
      symlinkSync(join(real, "roots"), join(scene.work, "by-root"));
      const { capture } = await scene.captured({ include: ["link/*"] });
      expect(capture.files.map(({ path }) => path)).toEqual([join(real, "own")]);
      const { capture: byRoot } = await scene.captured({ include: ["by-root"] });
      expect(byRoot.files.map(({ path }) => path)).toEqual([join(real, "roots")]);
    },
  );

  test("an excluded file the job writes is left out, with its length", async () => {
    writeFileSync(join(scene.work, "scratch"), "123");
    scene.open(join(scene.work, "scratch"), "r+");
    const { capture } = await scene.captured({ exclude: ["scr*"] });
    expect(only(capture)).toMatchObject({ how: "left-out", size: 3 });
  });

  test("the name that CRIU makes for an unlinked file is stored while it is there", async () => {
    const out = join(scene.work, "out");
    writeFileSync(out, "unlinked");
    const fd = scene.open(out, "r+");
    linkSync(out, join(scene.work, "other-name"));
    linkSync(out, join(scene.work, "link_remap.17"));
    writeFileSync(join(scene.work, "link_remap.18"), "of another file");
    rmSync(out);
    scene.restate(fd, { deleted: true, hardLinks: 2 });
    const { capture } = await scene.captured();
    expect(only(capture)).toMatchObject({ path: join(scene.work, "link_remap.17"), how: "copy", size: 8 });
  });

  test("a vault that is not there is a fault, not a left-out file", async () => {
    writeFileSync(join(scene.work, "out"), "x");
    scene.open(join(scene.work, "out"), "r+");
    writeFileSync(join(scene.base, "blocked"), "");
    const attempt = scene.files.capture(scene.tree(), rules, join(scene.base, "blocked", "generation"), null);
    await expect(attempt).rejects.toMatchObject({ name: "Fault", code: "io-failed" });
  });
});

describe("settle", () => {
  test.each([
    ["removed", (path: string) => rmSync(path)],
    ["cut short", (path: string) => truncateSync(path, 1)],
  ])("an append-only file that was %s after the thaw is left out, with the reason", async (what, change) => {
    const log = join(scene.work, "log");
    writeFileSync(log, "lines");
    scene.open(log, "a");
    const frozen = await scene.files.capture(scene.tree(), rules, scene.generation, null);
    change(log);
    const { capture } = await scene.files.settle(frozen, scene.generation, null);
    expect(only(capture)).toMatchObject({ how: "left-out", tailSha256: "" });
    expect(only(capture).why).toContain(what);
    await expect(scene.files.preflight(capture, 4, scene.generation)).rejects.toMatchObject({ code: "file-changed" });
  });

  test("a file that is only read is needed, with its digest", async () => {
    const input = join(scene.work, "in.lj");
    writeFileSync(input, "units lj");
    scene.open(input, "r");
    const { capture } = await scene.captured();
    const { dev, ino, mtimeNs, ctimeNs } = statSync(input, { bigint: true });
    const standing = { path: input, size: 8, mtimeNs: `${mtimeNs}`, inode: `${dev}:${ino}`, ctimeNs: `${ctimeNs}` };
    expect(capture.needed).toEqual([{ ...standing, sha256: sha256("units lj") }]);
  });

  test("an earlier digest is taken over only where size, times and inode are the same", async () => {
    for (const name of ["same", "other"]) {
      writeFileSync(join(scene.work, name), name);
      scene.open(join(scene.work, name), "r");
    }
    const frozen = await scene.files.capture(scene.tree(), rules, scene.generation, null);
    const earlier = {
      ...frozen,
      needed: frozen.needed.map((file) => ({
        ...file,
        sha256: "marked",
        ctimeNs: file.path.endsWith("same") ? file.ctimeNs : "1",
      })),
    };
    const { capture } = await scene.files.settle(frozen, scene.generation, earlier);
    expect(capture.needed.map((file) => file.sha256)).toEqual([sha256("other"), "marked"]);
  });

  test("a needed file replaced after the thaw gets no digest: another file's would be wrong", async () => {
    const input = join(scene.work, "lib.so");
    writeFileSync(input, "old");
    scene.open(input, "r");
    const frozen = await scene.files.capture(scene.tree(), rules, scene.generation, null);
    rmSync(input);
    writeFileSync(input, "new");
    const { capture } = await scene.files.settle(frozen, scene.generation, null);
    expect(capture.needed[0]?.sha256).toBe("");
  });
});
