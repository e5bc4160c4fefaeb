import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Capture } from "../../../src/domain/captured.ts";
import { Scene, snapshot } from "./scene.ts";

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});
afterEach(() => {
  scene.remove();
});

const isRoot = process.getuid?.() === 0;

/** Writes the file, opens it as the job would, and freezes: the capture and the tree as it then was. */
async function frozen(
  name: string,
  content: string,
  flags: string,
): Promise<{ path: string; capture: Capture; atFreeze: Record<string, string> }> {
  const path = join(scene.work, name);
  writeFileSync(path, content, { mode: 0o640 });
  scene.open(path, flags);
  const { capture } = await scene.captured();
  return { path, capture, atFreeze: snapshot(path) };
}

const back = async (capture: Capture): ReturnType<Scene["files"]["putBack"]> =>
  scene.files.putBack(capture, scene.generation, scene.undoFolder);

describe("putting back", () => {
  test("cuts an append-only file back to its length, in place, with its time", async () => {
    const { path, capture, atFreeze } = await frozen("log", "one\ntwo\n", "a");
    const inode = statSync(path).ino;
    appendFileSync(path, "three\n");
    const report = await back(capture);
    expect(report).toMatchObject({ files: [{ path, done: "cut" }], undoBytes: 6 });
    expect(snapshot(path)).toEqual(atFreeze);
    expect(statSync(path).ino).toBe(inode);
  });

  test("gives a rewritten file its content, size, mode and time to the nanosecond", async () => {
    const { path, capture, atFreeze } = await frozen("out", "the first state", "r+");
    writeFileSync(path, "another, longer state");
    chmodSync(path, 0o600);
    expect((await back(capture)).files).toEqual([{ path, done: "rewritten" }]);
    expect(snapshot(path)).toEqual(atFreeze);
  });

  test("makes a missing file again", async () => {
    const { path, capture, atFreeze } = await frozen("out", "state", "r+");
    rmSync(path);
    expect((await back(capture)).files).toEqual([{ path, done: "created" }]);
    expect(snapshot(path)).toEqual(atFreeze);
  });

  test("does not touch a file that is right already", async () => {
    const { path, capture } = await frozen("out", "state", "r+");
    const { ino, ctimeNs } = statSync(path, { bigint: true });
    expect(await back(capture)).toMatchObject({ files: [{ path, done: "unchanged" }], undoBytes: 0 });
    expect(statSync(path, { bigint: true })).toMatchObject({ ino, ctimeNs });
  });

  test("sets mode and time of a file whose content is right, without writing it", async () => {
    const { path, capture, atFreeze } = await frozen("out", "state", "r+");
    const { ino } = statSync(path);
    chmodSync(path, 0o600);
    utimesSync(path, 1, 1);
    await back(capture);
    expect(snapshot(path)).toEqual(atFreeze);
    expect(statSync(path).ino).toBe(ino);
  });

  test("keeps the other names of a hard-linked file, and undoing keeps them too", async () => {
    const { path, capture, atFreeze } = await frozen("out", "state", "r+");
    const other = join(scene.work, "other");
    linkSync(path, other);
    writeFileSync(path, "changed");
    const before = snapshot(scene.work);
    await back(capture);
    expect(snapshot(other)).toEqual(atFreeze);
    expect(statSync(other).ino).toBe(statSync(path).ino);
    await scene.files.undo(scene.undoFolder);
    expect(snapshot(scene.work)).toEqual(before);
    expect(statSync(other).ino).toBe(statSync(path).ino);
  });

  test("makes the folders of temporary files again, as a reboot has emptied the place", async () => {
    const folder = join(scene.temporary, "ompi", "pid.7");
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, "hwloc.sm"), "topology", { mode: 0o600 });
    chmodSync(folder, 0o1770);
    scene.open(join(folder, "hwloc.sm"), "r");
    const socket = { inode: 1, family: "unix", kind: "stream", state: "listening", remote: "", peer: "none" } as const;
    mkdirSync(join(scene.temporary, "sockets"));
    scene.sockets.push({ ...socket, local: join(scene.temporary, "sockets", "s") });
    const { capture } = await scene.captured();
    const content = ({ mode, size }: { mode: number; size: number }): string => `${mode} ${size}`;
    const atFreeze = content(statSync(join(folder, "hwloc.sm")));
    for (const name of readdirSync(scene.temporary)) rmSync(join(scene.temporary, name), { recursive: true });
    const before = snapshot(scene.temporary);
    await scene.files.preflight(capture, 1, scene.generation);
    await back(capture);
    expect(readFileSync(join(folder, "hwloc.sm"), "utf8")).toBe("topology");
    expect(content(statSync(join(folder, "hwloc.sm")))).toBe(atFreeze);
    expect(statSync(folder).mode & 0o7777).toBe(0o1770);
    expect(existsSync(join(scene.temporary, "sockets"))).toBe(true);
    await scene.files.undo(scene.undoFolder);
    expect(snapshot(scene.temporary)).toEqual(before);
  });

  test("cuts a left-out file that has only grown", async () => {
    const path = join(scene.work, "huge");
    writeFileSync(path, "0123456789");
    scene.open(path, "r+");
    const { capture } = await scene.captured({ limitBytes: 5 });
    const atFreeze = snapshot(path);
    appendFileSync(path, "more");
    await back(capture);
    expect(snapshot(path)).toEqual(atFreeze);
  });

  test.skipIf(!isRoot)("gives the owner back, set-id bits included (skipped: only root can)", async () => {
    const path = join(scene.work, "owned");
    writeFileSync(path, "mine");
    chownSync(path, 1234, 4321);
    chmodSync(path, 0o6755);
    scene.open(path, "r+");
    const { capture } = await scene.captured();
    const atFreeze = snapshot(path);
    rmSync(path);
    writeFileSync(path, "someone else's");
    await back(capture);
    expect(snapshot(path)).toEqual(atFreeze);
    expect(statSync(path)).toMatchObject({ uid: 1234, gid: 4321 });
  });

  test("leaves nothing but the files in their folder", async () => {
    const { path, capture } = await frozen("out", "state", "r+");
    writeFileSync(path, "changed");
    await back(capture);
    expect(readdirSync(scene.work)).toEqual(["out"]);
  });

  test("refuses an undo folder that another put-back has used: what it keeps is not written over", async () => {
    const { path, capture } = await frozen("out", "state", "r+");
    writeFileSync(path, "precious");
    await back(capture);
    await expect(back(capture)).rejects.toMatchObject({ code: "directory-not-empty" });
  });
});

describe("a put-back that fails", () => {
  test("has undone what it had changed, and names the file", async () => {
    const one = join(scene.work, "a-first");
    const folder = join(scene.work, "b");
    mkdirSync(folder);
    for (const path of [one, join(folder, "second")]) {
      writeFileSync(path, "state");
      scene.open(path, "r+");
    }
    const { capture } = await scene.captured();
    writeFileSync(one, "changed");
    rmSync(folder, { recursive: true });
    const before = snapshot(scene.work);
    await expect(back(capture)).rejects.toMatchObject({ code: "file-unrestorable", message: expect.stringContaining("second") });
    expect(snapshot(scene.work)).toEqual(before);
  });

  test.each(["results", "results/deep"])("does not follow a link that was put in a folder's place (file in %s)", async (name) => {
    const folder = join(scene.work, name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "passwd"), "state");
    scene.open(join(folder, "passwd"), "r+");
    const { capture } = await scene.captured();
    const elsewhere = join(scene.base, "elsewhere");
    mkdirSync(join(elsewhere, "deep"), { recursive: true });
    for (const path of ["passwd", "deep/passwd"]) writeFileSync(join(elsewhere, path), "not the job's");
    rmSync(join(scene.work, "results"), { recursive: true });
    symlinkSync(elsewhere, join(scene.work, "results"));
    const before = snapshot(elsewhere);
    await expect(scene.files.preflight(capture, 1, scene.generation)).rejects.toMatchObject({ code: "file-unrestorable" });
    await expect(back(capture)).rejects.toMatchObject({ code: "file-unrestorable" });
    expect(snapshot(elsewhere)).toEqual(before);
  });
});

describe("undoing", () => {
  test("brings back what was there before, and is harmless twice", async () => {
    const { path, capture } = await frozen("log", "one\n", "a");
    appendFileSync(path, "two\n");
    const before = snapshot(scene.work);
    await back(capture);
    await scene.files.undo(scene.undoFolder);
    expect(snapshot(scene.work)).toEqual(before);
    appendFileSync(path, "written since\n");
    await scene.files.undo(scene.undoFolder);
    expect(readFileSync(path, "utf8")).toBe("one\ntwo\nwritten since\n");
  });

  test("takes away what a half-restored job wrote", async () => {
    const { path, capture } = await frozen("log", "one\n", "a");
    appendFileSync(path, "two, longer than what comes\n");
    const before = snapshot(scene.work);
    await back(capture);
    appendFileSync(path, "other\n");
    await scene.files.undo(scene.undoFolder);
    expect(snapshot(scene.work)).toEqual(before);
  });

  test("does nothing where nothing was begun", async () => {
    await scene.files.undo(join(scene.base, "never-made"));
    mkdirSync(scene.undoFolder);
    await scene.files.undo(scene.undoFolder);
  });

  test("a damaged list is a fault, and nothing is touched", async () => {
    const { path, capture } = await frozen("log", "one\n", "a");
    appendFileSync(path, "two\n");
    await back(capture);
    truncateSync(join(scene.undoFolder, "undo.json"), 20);
    const before = snapshot(scene.work);
    await expect(scene.files.undo(scene.undoFolder)).rejects.toMatchObject({ code: "vault-file-damaged" });
    expect(snapshot(scene.work)).toEqual(before);
  });

  test("goes on after a file that cannot come back, throws for it, and can be called again", async () => {
    const log = join(scene.work, "log");
    writeFileSync(log, "one\n");
    scene.open(log, "a");
    const { path: out, capture: first } = await frozen("out", "state", "r+");
    expect(first.files).toHaveLength(2);
    appendFileSync(log, "two\n");
    writeFileSync(out, "changed");
    const before = snapshot(out);
    await back(first);
    truncateSync(log, 1);
    await expect(scene.files.undo(scene.undoFolder)).rejects.toMatchObject({ code: "file-unrestorable" });
    expect(snapshot(out)).toEqual(before);
    writeFileSync(log, "one\n");
    await scene.files.undo(scene.undoFolder);
    expect(readFileSync(log, "utf8")).toBe("one\ntwo\n");
  });
});
