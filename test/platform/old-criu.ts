import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { succeed } from "./child.ts";
import { aptGet, cacheFolder } from "./packages.ts";

/**
 * Debian 12's CRIU 3.17.1, the real one, unpacked and not installed: a program that runs it by the system's loader with the libraries
 * it needs. Downloaded once. It cannot start on a kernel of 6.13 or newer.
 */
export async function oldCriu(): Promise<string> {
  const prefix = path.join(cacheFolder(), "criu-debian-12");
  const program = path.join(prefix, "criu");
  if (existsSync(program)) return program;
  await mkdir(path.dirname(prefix), { recursive: true });
  const making = await mkdtemp(`${prefix}-making-`);
  try {
    const archives = path.join(making, "archives");
    await mkdir(path.join(archives, "partial"), { recursive: true });
    const words = [
      "-y",
      "-qq",
      "--no-install-recommends",
      "--download-only",
      "-o",
      `Dir::Cache::archives=${archives}/`,
      "install",
      "criu/bookworm",
    ];
    let done = await aptGet(words);
    if (done.status !== 0) {
      await aptGet(["update", "-qq"]);
      done = await aptGet(words);
    }
    const packages = (await readdir(archives)).filter((name) => name.endsWith(".deb"));
    if (!packages.some((name) => name.startsWith("criu_3.17.1")))
      throw new Error(`no criu 3.17.1 from apt: ${done.stdout}${done.stderr}`);
    for (const name of packages) await succeed(["dpkg", "-x", path.join(archives, name), path.join(making, "root")]);
    await rm(archives, { recursive: true });
    const libraries = "/root/usr/lib/x86_64-linux-gnu";
    await writeFile(
      path.join(making, "criu"),
      `#!/bin/sh\nhere=$(dirname "$0")\nLD_LIBRARY_PATH=$here${libraries} exec "$here/root/usr/sbin/criu" "$@"\n`,
    );
    await chmod(path.join(making, "criu"), 0o755);
    await rename(making, prefix);
    return program;
  } catch (error) {
    await rm(making, { recursive: true, force: true });
    throw error;
  }
}
