import { lstatSync, readdirSync, readlinkSync, statSync, type BigIntStats } from "node:fs";
import type { ReachedFile } from "../../domain/capture-plan.ts";

/** A file of the tree as it stands: its facts, and the path to read it through. */
export type Seen = {
  readonly stats: BigIntStats;
  /** The file's own path, or one in `/proc` if that path leads elsewhere by now (a rotated log, a bind mount). */
  readonly through: string;
};

/** Finds the file the tree holds, not merely the one that has its path. `null`: it is no longer there, or not a regular file. */
export function findReached({ path, reach }: ReachedFile): Seen | null {
  const named = regular(path, lstatSync);
  if (reach.type === "path") return named;
  if (reach.type === "descriptor") {
    const held = regular(`/proc/${reach.pid}/fd/${reach.fd}`, statSync);
    return held === null || (named !== null && isSame(named.stats, held.stats)) ? named : held;
  }
  if (named !== null && reach.inode.endsWith(`:${named.stats.ino}`)) return named;
  return findMapped(path, reach.pid) ?? named;
}

/** Only for the rare mapping whose path leads elsewhere. An overlay gives its mappings other inodes than its paths; a path wins then. */
function findMapped(path: string, pid: number): Seen | null {
  const folder = `/proc/${pid}/map_files`;
  for (const range of entriesOf(folder)) {
    const link = `${folder}/${range}`;
    if (readLink(link) === path) return regular(link, statSync);
  }
  return null;
}

type Look = (path: string, options: { readonly bigint: true; readonly throwIfNoEntry: false }) => BigIntStats | undefined;

function regular(path: string, look: Look): Seen | null {
  try {
    const stats = look(path, { bigint: true, throwIfNoEntry: false });
    return stats?.isFile() === true ? { stats, through: path } : null;
  } catch {
    return null;
  }
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function readLink(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

function isSame(one: BigIntStats, other: BigIntStats): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}
