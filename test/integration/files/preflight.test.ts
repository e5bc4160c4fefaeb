import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Capture } from "../../../src/domain/captured.ts";
import { rules, Scene, snapshot } from "./scene.ts";

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});
afterEach(() => {
  scene.remove();
});

const isRoot = process.getuid?.() === 0;

async function frozen(content: string, flags: string, folder = scene.work): Promise<{ path: string; capture: Capture }> {
  const path = join(folder, "file");
  writeFileSync(path, content);
  scene.open(path, flags);
  return { path, capture: (await scene.captured()).capture };
}

const outcome = async (capture: Capture): Promise<string> => {
  const before = snapshot(scene.work);
  try {
    await scene.files.preflight(capture, 7, scene.generation);
    return "fine";
  } catch (error) {
    if (error instanceof Error && "code" in error) return `${String(error.code)}: ${error.message}`;
    throw error;
  } finally {
    expect(snapshot(scene.work)).toEqual(before);
  }
};

describe("a file kept by its length", () => {
  test("is fine if it has only grown", async () => {
    const { path, capture } = await frozen("line\n", "a");
    expect(await outcome(capture)).toBe("fine");
    appendFileSync(path, "more\n");
    expect(await outcome(capture)).toBe("fine");
  });

  test("is refused if it is missing, shorter, rotated or rewritten, and the fault says which", async () => {
    const { path, capture } = await frozen("line\n", "a");
    truncateSync(path, 2);
    expect(await outcome(capture)).toBe(`file-changed: ${path} is not as it was at point 7: it has 2 bytes now, and had 5 then`);
    renameSync(path, `${path}.1`);
    expect(await outcome(capture)).toMatch(/^file-changed: .*it is gone$/);
    writeFileSync(path, "a new log, longer than the old one");
    expect(await outcome(capture)).toMatch(/^file-changed: .*rewritten or rotated/);
  });

  test("is refused if a link or a folder is in its place", async () => {
    const { path, capture } = await frozen("line\n", "a");
    renameSync(path, `${path}.1`);
    symlinkSync(`${path}.1`, path);
    expect(await outcome(capture)).toMatch(/^file-unrestorable: .*symbolic link/);
    rmSync(path);
    mkdirSync(path);
    expect(await outcome(capture).catch(String)).toMatch(/^file-unrestorable: .*a folder/);
  });
});

describe("a copy", () => {
  test("is fine whatever became of the file", async () => {
    const { path, capture } = await frozen("state", "r+");
    writeFileSync(path, "other");
    expect(await outcome(capture)).toBe("fine");
    rmSync(path);
    expect(await outcome(capture)).toBe("fine");
  });

  test("is refused if its stored content is missing or short", async () => {
    const { capture } = await frozen("state", "r+");
    truncateSync(join(scene.generation, "files/0"), 2);
    expect(await outcome(capture)).toMatch(/^file-unrestorable: .*not as it was written/);
    rmSync(join(scene.generation, "files/0"));
    expect(await outcome(capture)).toMatch(/^file-unrestorable: .*missing/);
  });

  test("is refused if its folder is missing, unless that folder comes along", async () => {
    const lasting = join(scene.work, "results");
    const temporary = join(scene.temporary, "session");
    for (const folder of [lasting, temporary]) mkdirSync(folder);
    await frozen("state", "r+", temporary);
    const { capture } = await frozen("state", "r+", lasting);
    rmSync(temporary, { recursive: true });
    expect(await outcome(capture)).toBe("fine");
    rmSync(lasting, { recursive: true });
    expect(await outcome(capture)).toMatch(/^file-unrestorable: .*results is missing/);
  });

  test.skipIf(!isRoot)(
    "is refused if somebody else has taken its folder's name in a temporary place (skipped: needs root to chown)",
    async () => {
      const folder = join(scene.temporary, "session");
      mkdirSync(folder);
      execFileSync("chown", ["1234", folder]);
      const { capture } = await frozen("state", "r+", folder);
      execFileSync("chown", ["4321", folder]);
      expect(await outcome(capture)).toMatch(/^file-unrestorable: .*belongs to user 4321/);
    },
  );

  test.skipIf(!isRoot)("is refused if there is no room for it, or no writing (skipped: needs root to mount)", async () => {
    const small = join(scene.work, "small");
    mkdirSync(small);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", small]);
    try {
      const { path, capture } = await frozen("x".repeat(100_000), "r+", small);
      scene.close();
      rmSync(path);
      writeFileSync(join(small, "filler"), Buffer.alloc(200_000));
      expect(await outcome(capture)).toMatch(/^space-short: .*small has 61440 bytes free, 100000 bytes are needed$/);
      await expect(scene.files.putBack(capture, scene.generation, scene.undoFolder)).rejects.toMatchObject({ code: "space-short" });
      expect(readdirSync(small)).toEqual(["filler"]);
      rmSync(join(small, "filler"));
      expect(await outcome(capture)).toBe("fine");
      execFileSync("mount", ["-o", "remount,ro", small]);
      expect(await outcome(capture)).toMatch(/^file-unrestorable: .*read-only/);
    } finally {
      execFileSync("umount", [small]);
    }
  });
});

test.skipIf(!isRoot)(
  "a full vault is told apart from a full place of the job, and nothing is changed (skipped: needs root to mount)",
  async () => {
    const vault = join(scene.base, "vault");
    mkdirSync(vault);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", vault]);
    try {
      const { path, capture } = await frozen("state", "r+");
      writeFileSync(path, Buffer.alloc(200_000, 7));
      const before = snapshot(scene.work);
      await expect(scene.files.putBack(capture, scene.generation, join(vault, "undo"))).rejects.toMatchObject({
        code: "vault-full",
      });
      expect(snapshot(scene.work)).toEqual(before);
      await expect(scene.files.capture(scene.tree(), rules, vault, null)).rejects.toMatchObject({ code: "vault-full" });
    } finally {
      execFileSync("umount", [vault]);
    }
  },
);

describe("a needed file", () => {
  test("is fine with the same size and time, or with the same content", async () => {
    const { path, capture } = await frozen("units lj", "r");
    expect(await outcome(capture)).toBe("fine");
    utimesSync(path, 1, 1);
    expect(await outcome(capture)).toBe("fine");
    chmodSync(path, 0o600);
    expect(await outcome(capture)).toBe("fine");
  });

  test("is refused if it is gone, of another size, or of other content at another time", async () => {
    const { path, capture } = await frozen("units lj", "r");
    utimesSync(path, 1, 1);
    writeFileSync(path, "units si");
    expect(await outcome(capture)).toBe(`file-changed: ${path} is not as it was at point 7: its content is another`);
    writeFileSync(path, "units");
    expect(await outcome(capture)).toMatch(/^file-changed: .*5 bytes now, and had 8 then/);
    rmSync(path);
    expect(await outcome(capture)).toMatch(/^file-changed: .*gone/);
  });
});
