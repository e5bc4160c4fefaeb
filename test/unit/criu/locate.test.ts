import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { locateCriu } from "../../../src/criu/locate.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "holdfast-locate-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const triplet = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
const loader = process.arch === "arm64" ? "ld-linux-aarch64.so.1" : "ld-linux-x86-64.so.2";

async function program(file: string): Promise<string> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, "");
  await chmod(file, 0o755);
  return file;
}

async function prefix(name: string, version: string | null): Promise<string> {
  const place = path.join(folder, name);
  await program(path.join(place, "usr/lib", triplet, loader));
  await program(path.join(place, "usr/sbin/criu"));
  if (version !== null) await writeFile(path.join(place, "works"), JSON.stringify({ version, kernel: "6" }));
  return place;
}

const find = (setting: string, searchPath = "") => locateCriu({ setting, cacheRoot: folder, searchPath });

test("a prefix is run by its own loader with its own libraries", async () => {
  const place = await prefix("criu-4.2.1-a", "4.2.1");
  const libraries = path.join(place, "usr/lib", triplet);
  expect(await find("auto")).toEqual({
    command: [path.join(libraries, loader), "--library-path", libraries, path.join(place, "usr/sbin/criu")],
    source: "private",
    path: place,
  });
});

test("the newest prefix by version is taken, of those that are marked as working", async () => {
  await prefix("criu-4.9", "4.9");
  const newest = await prefix("criu-4.10", "4.10");
  await prefix("criu-5.0", null);
  await mkdir(path.join(folder, "criu-9"));
  expect((await find("auto")).path).toBe(newest);
});

test("a private prefix goes before PATH, and what the settings name before both", async () => {
  const onPath = await program(path.join(folder, "bin/criu"));
  if ((await find("auto", path.dirname(onPath))).source === "system") {
    expect((await find("auto", path.dirname(onPath))).command).toEqual([onPath]);
  }
  const place = await prefix("criu-4.2.1-a", "4.2.1");
  expect((await find("auto", path.dirname(onPath))).path).toBe(place);
  expect(await find(onPath)).toEqual({ command: [onPath], source: "settings", path: onPath });
  expect((await find(place)).source).toBe("settings");
});

test("what the settings name and is not there is missing, whatever else there is", async () => {
  await prefix("criu-4.2.1-a", "4.2.1");
  await expect(find(path.join(folder, "nothing"))).rejects.toMatchObject({ code: "criu-missing" });
  await expect(find(folder)).rejects.toMatchObject({ code: "criu-missing" });
});
