import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Capture, CapturedFile } from "../../../src/domain/captured.ts";
import { makePrivateCopies } from "../../../src/host/drill/private-copies.ts";
import { planView } from "../../../src/host/drill/view.ts";

let root = "";
beforeEach(async () => {
  root = await mkdtemp("/var/tmp/holdfast-test-copies-");
  for (const name of ["live", "generation/files", "drill"]) await mkdir(path.join(root, name), { recursive: true });
});
afterEach(async () => rm(root, { recursive: true, force: true }));

const places = planView("27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n");
const live = (name: string) => path.join(root, "live", name);
const copy = (name: string) => path.join(root, "drill/upper/0", live(name));

function captured(name: string, how: CapturedFile["how"], text: string): CapturedFile {
  const tailSha256 = createHash("sha256").update(text).digest("hex");
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const stored = how === "copy" ? `files/${name}` : null;
  return {
    path: live(name),
    how,
    why: "",
    size: text.length,
    mode: 0o640,
    ...owner,
    mtimeNs: "1700000000123456789",
    tailSha256,
    stored,
  };
}

const copies = async (capture: Partial<Capture>) =>
  makePrivateCopies({
    folder: path.join(root, "drill"),
    places,
    capture: { files: [], folders: [], needed: [], ...capture },
    point: 1,
    generationFolder: path.join(root, "generation"),
    laterUndo: [],
  });

test("files are as they were at the freeze, whatever the live ones hold now; the live ones are only read", async () => {
  await writeFile(path.join(root, "generation/files/state"), "then");
  await writeFile(live("state"), "now, and longer");
  await writeFile(live("log"), "one\ntwo\nthree\n");
  await writeFile(path.join(root, "generation/files/gone"), "it was there");
  const before = [await stat(live("state"), { bigint: true }), await stat(live("log"), { bigint: true }), await stat(live(""))];
  await copies({
    files: [captured("state", "copy", "then"), captured("log", "length", "one\ntwo\n"), captured("gone", "copy", "it was there")],
  });
  expect(await readFile(copy("state"), "utf8")).toBe("then");
  expect(await readFile(copy("log"), "utf8")).toBe("one\ntwo\n");
  expect(await readFile(copy("gone"), "utf8")).toBe("it was there");
  const { mode, mtimeNs } = await stat(copy("log"), { bigint: true });
  expect([mode & 0o7777n, mtimeNs]).toEqual([0o640n, 1700000000123456789n]);
  expect((await stat(copy(""))).mode).toBe((await stat(live(""))).mode);
  const after = [await stat(live("state"), { bigint: true }), await stat(live("log"), { bigint: true }), await stat(live(""))];
  expect(after.map(({ ino, size, mtimeMs, ctimeMs }) => [ino, size, mtimeMs, ctimeMs])).toEqual(
    before.map(({ ino, size, mtimeMs, ctimeMs }) => [ino, size, mtimeMs, ctimeMs]),
  );
});

test("folders and named pipes that are gone by now are there for the copy", async () => {
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const folders = [
    { path: live("session"), mode: 0o711, ...owner },
    { path: live("session/pipe"), mode: 0o600, ...owner, fifo: true as const },
  ];
  await copies({ folders });
  expect((await stat(copy("session"))).mode & 0o7777).toBe(0o711);
  expect((await stat(copy("session/pipe"))).isFIFO()).toBe(true);
  await expect(stat(live("session"))).rejects.toMatchObject({ code: "ENOENT" });
});

test("a log that was rotated since cannot be put together, as at a restore", async () => {
  await writeFile(live("log"), "something else altogether\n");
  await expect(copies({ files: [captured("log", "length", "one\ntwo\n")] })).rejects.toMatchObject({ code: "file-changed" });
});
