import { globSync, lstatSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { join, matchesGlob, resolve } from "node:path";
import type { Surroundings } from "../../domain/capture-plan.ts";
import type { FileRules } from "../../domain/job.ts";
import type { Places } from "../../domain/temporary-place.ts";
import type { TreeFacts } from "../../domain/tree.ts";
import { followTrusted } from "./follow.ts";

/** What a reboot empties on any Linux. */
export const usualRoots: readonly string[] = ["/dev/shm", "/run", "/tmp"];

/**
 * Reads what the capture plan needs of the machine. Globs are taken from the root process's working directory; a folder
 * that an include rule names is taken with all that is in it. Links are followed
 * where their owner may be trusted, see `followTrusted`.
 */
export function surroundingsOf(tree: TreeFacts, rules: FileRules, roots: readonly string[]): Surroundings {
  const cwd = tree.processes.find(({ pid }) => pid === tree.root.pid)?.cwd ?? "/";
  const excludes = rules.exclude.map((glob) => resolve(cwd, glob));
  return {
    places: placesOf(tree, roots),
    included: [...new Set(rules.include.flatMap((glob) => filesNamedBy(glob, cwd)))],
    isExcluded: (path) => excludes.some((glob) => matchesGlob(path, glob) || matchesGlob(path, `${glob}/**`)),
  };
}

function placesOf(tree: TreeFacts, roots: readonly string[]): Places {
  const tmpdirs = new Set<string>();
  for (const { tmpdir } of tree.processes) {
    const real = tmpdir?.startsWith("/") === true ? realPath(tmpdir) : null;
    if (real !== null && real !== "/" && !roots.includes(real)) tmpdirs.add(real);
  }
  return { roots: roots.map((root) => realPath(root) ?? root), tmpdirs: [...tmpdirs], mounts: readMounts() };
}

/** `/proc/self/mountinfo`: field 5 is the mount point, the filesystem's type follows the lone dash. (proc(5)) */
function readMounts(): Places["mounts"] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").trimEnd().split("\n");
  return lines.map((line) => {
    const fields = line.split(" ");
    const point = (fields[4] ?? "/").replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    const filesystem = fields[fields.indexOf("-") + 1] ?? "";
    return { point, volatile: filesystem === "tmpfs" || filesystem === "ramfs" };
  });
}

function filesNamedBy(glob: string, cwd: string): string[] {
  const found: string[] = [];
  for (const match of globSync(glob, { cwd })) {
    const path = followTrusted(resolve(cwd, match));
    if (path === null) continue;
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats?.isFile() === true) found.push(path);
    if (stats?.isDirectory() === true) found.push(...filesIn(path));
  }
  return found;
}

function filesIn(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

function realPath(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}
