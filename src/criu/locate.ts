import { constants } from "node:fs";
import { access, readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { Fault } from "../faults/fault.ts";
import { compareVersions } from "../domain/version.ts";

/** Where CRIU was found, and the words to put before its own arguments. */
export type Located = {
  readonly command: readonly string[];
  /** `settings`: named by `criu.path`; `private`: a prefix that `doctor --fix` made; `system`: a program on PATH. */
  readonly source: "settings" | "private" | "system";
  /** The prefix or the program. */
  readonly path: string;
};

export type LocateOptions = {
  /** `criu.path`: `auto`, or the path of a program or of a prefix. */
  readonly setting: string;
  /** The folder that holds the private prefixes, `criu-*`. */
  readonly cacheRoot: string;
  /** Folders as in PATH; the usual ones of root are looked at besides. */
  readonly searchPath: string;
};

/** What the installer writes into a prefix once `criu check` passed there; a prefix without it was never finished. */
export const worksMark = "works";
const markShape = z.object({ version: z.string(), kernel: z.string() });
export type WorksMark = z.infer<typeof markShape>;

/**
 * Finds CRIU: the one the settings name, else the newest private prefix that works, else the one on PATH.
 * Fault: `criu-missing`.
 */
export async function locateCriu(options: LocateOptions): Promise<Located> {
  if (options.setting !== "auto") return named(options.setting);
  const prefix = await newestPrefix(options.cacheRoot);
  if (prefix) return prefix;
  const program = await onPath(options.searchPath);
  if (program) return { command: [program], source: "system", path: program };
  throw Fault.of("criu-missing", { path: `${options.cacheRoot}/criu-* or on PATH` });
}

/** The words that run the CRIU of a prefix by that prefix's own loader and libraries; `null` if it holds none for this machine. */
export async function prefixCommand(prefix: string): Promise<readonly string[] | null> {
  for (const { triplet, loader } of layouts[process.arch] ?? []) {
    const libraries = path.join(prefix, "usr/lib", triplet);
    const words = [path.join(libraries, loader), path.join(prefix, "usr/sbin/criu")] as const;
    if ((await isProgram(words[0])) && (await isProgram(words[1]))) return [words[0], "--library-path", libraries, words[1]];
  }
  return null;
}

/** The mark of a prefix; `null` if it has none, or one that cannot be read. */
export async function readWorksMark(prefix: string): Promise<WorksMark | null> {
  try {
    return markShape.parse(JSON.parse(await readFile(path.join(prefix, worksMark), "utf8")));
  } catch {
    return null;
  }
}

/** The first `criu` on PATH, or in the folders where root finds it though PATH may lack them. */
export async function onPath(searchPath: string): Promise<string | null> {
  const folders = [...searchPath.split(":"), "/usr/local/sbin", "/usr/sbin", "/sbin"].filter((folder) => folder.startsWith("/"));
  for (const folder of folders) {
    const program = path.join(folder, "criu");
    if (await isProgram(program)) return program;
  }
  return null;
}

const layouts: Partial<Record<NodeJS.Architecture, readonly { readonly triplet: string; readonly loader: string }[]>> = {
  x64: [{ triplet: "x86_64-linux-gnu", loader: "ld-linux-x86-64.so.2" }],
  arm64: [{ triplet: "aarch64-linux-gnu", loader: "ld-linux-aarch64.so.1" }],
};

async function named(setting: string): Promise<Located> {
  const absolute = path.resolve(setting);
  if (await isProgram(absolute)) return { command: [absolute], source: "settings", path: absolute };
  const command = await prefixCommand(absolute);
  if (!command) throw Fault.of("criu-missing", { path: setting });
  return { command, source: "settings", path: absolute };
}

async function newestPrefix(cacheRoot: string): Promise<Located | null> {
  const names = await readdir(cacheRoot).catch(() => []);
  const found: { readonly located: Located; readonly version: string }[] = [];
  for (const name of names.filter((one) => one.startsWith("criu-")).toSorted()) {
    const prefix = path.join(cacheRoot, name);
    const [mark, command] = [await readWorksMark(prefix), await prefixCommand(prefix)];
    if (mark && command) found.push({ located: { command, source: "private", path: prefix }, version: mark.version });
  }
  return found.toSorted((a, b) => compareVersions(a.version, b.version)).at(-1)?.located ?? null;
}

async function isProgram(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}
