import { createHash } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import path from "node:path";
import { succeed } from "./child.ts";
import { cacheFolder } from "./packages.ts";

/** The sources: what is compiled, and the scripts and inputs that are copied beside it. */
const sources = path.join(import.meta.dirname, "../programs");
const flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-fopenmp", "-pthread"];

/**
 * Compiles `test/programs/*.c` into a folder named by the sources' hash, scripts copied beside; gives the folder. It does not
 * lie in a temporary place: a restore finds the programs where they were, as an installed program is.
 */
export async function buildPrograms(): Promise<string> {
  const names = (await readdir(sources)).toSorted();
  const hash = createHash("sha256").update(flags.join(" "));
  for (const name of names) hash.update(`\0${name}\0`).update(await readFile(path.join(sources, name)));
  const cache = cacheFolder();
  const built = path.join(cache, `programs-${hash.digest("hex").slice(0, 16)}`);
  if (await readdir(built).catch(() => null)) return built;
  await mkdir(cache, { recursive: true });
  const making = await mkdtemp(path.join(cache, ".making-"));
  for (const name of names) {
    const source = path.join(sources, name);
    if (name.endsWith(".c")) await succeed(["/usr/bin/cc", ...flags, "-o", path.join(making, name.slice(0, -2)), source]);
    else await copyFile(source, path.join(making, name));
  }
  // Two test runs at once may both build: the second finds the place taken, by the same content.
  await rename(making, built).catch(async () => rm(making, { recursive: true, force: true }));
  return built;
}
