import { existsSync, lstatSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import type { Capture } from "../../../src/domain/captured.ts";
import { classify } from "../../../src/domain/capture-plan.ts";
import type { DescriptorFacts, ProcessFacts, TreeFacts } from "../../../src/domain/tree.ts";
import { openFiles } from "../../../src/host/files/files.ts";

const files = openFiles();

test("a named pipe in a temporary place comes back with its folder, its mode and its owner, and an undo takes it away again", async () => {
  const base = await mkdtemp(path.join(os.tmpdir(), "holdfast-fifo-"));
  const folder = path.join(base, "session");
  const fifo = path.join(folder, "debugger");
  const held = { mode: 0o755, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const capture: Capture = {
    files: [],
    folders: [
      { path: folder, ...held },
      { path: fifo, ...held, mode: 0o640, fifo: true },
    ],
    needed: [],
  };
  await files.preflight(capture, 1, base);
  await files.putBack(capture, base, path.join(base, "undo"));
  const made = lstatSync(fifo);
  expect(made.isFIFO()).toBe(true);
  expect(made.mode & 0o7777).toBe(0o640);
  await files.undo(path.join(base, "undo"));
  expect(existsSync(folder)).toBe(false);
  await rm(base, { recursive: true });
});

test("something else where a named pipe should be is refused", async () => {
  const base = await mkdtemp(path.join(os.tmpdir(), "holdfast-fifo-"));
  const capture: Capture = { files: [], folders: [{ path: base, mode: 0o700, uid: 0, gid: 0, fifo: true }], needed: [] };
  await expect(files.preflight(capture, 1, base)).rejects.toMatchObject({ code: "file-unrestorable" });
  await rm(base, { recursive: true });
});

test("a named pipe that the tree has open in a temporary place is captured", () => {
  const descriptor = {
    fd: 3,
    target: "/tmp/s/fifo",
    deleted: false,
    type: "pipe",
    flags: 0,
    position: 0,
    inode: "0:1:1",
    size: 0,
    hardLinks: 1,
  };
  const one = { pid: 1, cwd: "/", descriptors: [descriptor as DescriptorFacts], mappings: [] } as unknown as ProcessFacts;
  const tree = { processes: [one], sockets: [] } as unknown as TreeFacts;
  const places = { roots: ["/tmp"], tmpdirs: [], mounts: [] } as unknown as Parameters<typeof classify>[1]["places"];
  const plan = classify(tree, { places, included: [], isExcluded: () => false });
  expect(plan.folders).toEqual(["/tmp/s", "/tmp/s/fifo"]);
});
