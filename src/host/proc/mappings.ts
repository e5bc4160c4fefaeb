import type { MappingFacts } from "../../domain/tree.ts";
import { readKernelFile, statKernelLink } from "./kernel-file.ts";

/** The named mappings of a process, ascending by address. */
export function readMappings(pid: number): readonly MappingFacts[] {
  const lines = parseMaps(readKernelFile(`/proc/${pid}/maps`) ?? "");
  return lines.map(({ range, ...facts }) => {
    if (!facts.deleted || facts.type !== "file") return facts;
    const stats = statKernelLink(`/proc/${pid}/map_files/${range}`);
    return stats === null ? facts : { ...facts, size: Number(stats.size), hardLinks: Number(stats.nlink) };
  });
}

export type MapsLine = MappingFacts & { readonly range: string };

/** `55d0-55d8 r-xp 00000000 fe:00 1234   /usr/bin/x`; a newline in a path is written `\012`. (proc_pid_maps(5)) */
export function parseMaps(text: string): readonly MapsLine[] {
  const found: MapsLine[] = [];
  for (const line of text.split("\n")) {
    const fields = linePattern.exec(line);
    if (fields === null) continue;
    const [, start = "", end = "", access = "", device = "", inode = "", name = ""] = fields;
    const deleted = name.endsWith(" (deleted)");
    const path = (deleted ? name.slice(0, -" (deleted)".length) : name).replaceAll("\\012", "\n");
    const shared = access[3] === "s";
    found.push({
      ...{ range: `${start}-${end}`, path, deleted, shared, writable: access[1] === "w", type: typeOf(path, shared) },
      inode: `${device}:${inode}`,
      bytes: Number(BigInt(`0x${end}`) - BigInt(`0x${start}`)),
    });
  }
  return found;
}

const linePattern = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) [0-9a-f]+ (\S+) (\d+) +(\S.*)$/;

function typeOf(path: string, shared: boolean): MappingFacts["type"] {
  if (path.startsWith("/dev/zero") || path.startsWith("/anon_hugepage")) return shared ? "shmem" : "anon";
  if (path.startsWith("/memfd:")) return "memfd";
  if (/^\/SYSV[0-9a-f]{8}$/.test(path)) return "sysv";
  if (path.startsWith("/dev/shm/") || path.startsWith("/dev/hugepages/")) return "file";
  if (path.startsWith("/dev/")) return "device";
  if (path.startsWith("/") && !path.startsWith("/[")) return "file";
  return path === "[heap]" || path.startsWith("[stack") || path.startsWith("[anon") ? "anon" : "special";
}
