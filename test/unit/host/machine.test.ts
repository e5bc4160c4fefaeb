import { mkdtemp, readdir, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { inspectFolder } from "../../../src/host/folder-facts.ts";
import { effectiveCapabilities, inspectMachine, mountType } from "../../../src/host/machine.ts";

test("capabilities are read off the effective set by their bits", () => {
  expect(effectiveCapabilities("Name:\tx\nCapEff:\t000001fffeffffff\n")).toEqual({
    CAP_SYS_PTRACE: true,
    CAP_SYS_ADMIN: true,
    CAP_SYS_RESOURCE: false,
    CAP_CHECKPOINT_RESTORE: true,
  });
  expect(Object.values(effectiveCapabilities("CapEff:\t0000000000000000\n"))).toEqual([false, false, false, false]);
  expect(Object.values(effectiveCapabilities(""))).toEqual([false, false, false, false]);
});

test("a file lies on the longest mount above it, and the last of those on one another", () => {
  const mounts = [
    "20 1 8:1 / / rw - ext4 /dev/sda1 rw",
    "21 20 0:5 / /run rw - ramfs r rw",
    "22 20 0:6 / /run rw shared:1 - tmpfs t rw",
    "23 20 0:7 / /a\\040b rw - xfs /dev/sdb rw",
  ].join("\n");
  expect(mountType(mounts, "/run/holdfast")).toBe("tmpfs");
  expect(mountType(mounts, "/runner")).toBe("ext4");
  expect(mountType(mounts, "/a b/c")).toBe("xfs");
  expect(mountType("", "/")).toBeNull();
});

test("this machine is told without fault", async () => {
  const facts = await inspectMachine();
  expect(facts.kernel).toBe(os.release());
  expect(facts.tools["flock"]).toMatch(/flock$/);
});

test("a folder is tried, and nothing is left in it", async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), "holdfast-folder-"));
  const facts = await inspectFolder(path.join(folder, "not/there/yet"));
  expect(facts).toMatchObject({ folder, writable: true, syncs: true });
  expect(facts.freeBytes).toBeGreaterThan(0);
  expect(await readdir(folder)).toEqual([]);
  await rm(folder, { recursive: true });
});

test("a folder that cannot be written is told as such", async () => {
  expect(await inspectFolder("/proc")).toMatchObject({ writable: false, syncs: false, punchesHoles: false, reflinks: false });
});
