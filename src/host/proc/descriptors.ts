import type { BigIntStats } from "node:fs";
import type { DescriptorFacts } from "../../domain/tree.ts";
import { inodeText, numbersIn, readKernelFile, readKernelLink, statKernelLink } from "./kernel-file.ts";

export type DescriptorReading = { readonly descriptors: readonly DescriptorFacts[]; readonly locks: readonly string[] };

/** Every open descriptor of a process, and the file locks held through them. `mounts`: ids of the mounts it can see. */
export function readDescriptors(pid: number, mounts: ReadonlySet<number>): DescriptorReading {
  const descriptors: DescriptorFacts[] = [];
  const locks: string[] = [];
  for (const fd of numbersIn(`/proc/${pid}/fd`)) {
    const link = `/proc/${pid}/fd/${fd}`;
    const text = readKernelLink(link);
    if (text === null) continue;
    const plain = describeNameless(fd, text);
    const stats = plain === null ? statKernelLink(link) : null;
    const info = plain === null ? parseDescriptorInfo(readKernelFile(`/proc/${pid}/fdinfo/${fd}`) ?? "") : null;
    if (plain !== null) descriptors.push(plain);
    if (stats === null || info === null) continue;
    descriptors.push(describe({ pid, fd, text, stats, info, mounts }));
    locks.push(...info.locks);
  }
  return { descriptors, locks };
}

/** Sockets and anonymous inodes: the link says all there is to know. Their flags, which nobody asks for, are not read. */
function describeNameless(fd: number, text: string): DescriptorFacts | null {
  const type = text.startsWith("socket:") ? "socket" : /^(anon_inode|pidfd):/.test(text) ? "anon" : null;
  if (type === null) return null;
  const inode = /\[(\d+)\]$/.exec(text)?.[1] ?? "0";
  return { fd, target: text, deleted: false, type, flags: 0, position: 0, inode: `00:00:${inode}`, size: 0, hardLinks: 1 };
}

type Reading = {
  readonly pid: number;
  readonly fd: number;
  readonly text: string;
  readonly stats: BigIntStats;
  readonly info: DescriptorInfo;
  readonly mounts: ReadonlySet<number>;
};

function describe({ pid, fd, text, stats, info, mounts }: Reading): DescriptorFacts {
  const deleted = isDeleted(pid, text, stats);
  const target = deleted ? text.replace(/ \(deleted\)$/, "") : text;
  const type = typeOf(target, stats);
  const hasPath = target.startsWith("/") && type !== "memfd";
  return {
    ...{ fd, target, deleted, type, flags: info.flags, position: info.position },
    inode: inodeText(stats.dev, stats.ino),
    size: Number(stats.size),
    hardLinks: Number(stats.nlink),
    ...(hasPath && mounts.size > 0 && !mounts.has(info.mountId) ? { foreignMount: true } : {}),
    ...(info.ttyIndex === null ? {} : { ttyIndex: info.ttyIndex }),
  };
}

/** A file's real name may end like the kernel's mark: then that path still leads to it. */
function isDeleted(pid: number, text: string, stats: BigIntStats): boolean {
  if (!text.endsWith(" (deleted)")) return false;
  if (stats.nlink === 0n || !text.startsWith("/")) return true;
  const named = statKernelLink(`/proc/${pid}/root${text}`);
  return named === null || named.dev !== stats.dev || named.ino !== stats.ino;
}

/** Devices that are terminals. `/dev/tty` is whichever controls the session. */
const terminal = /^\/dev\/(pts\/|tty|ptmx$|console$|vcs|hvc)/;

function typeOf(target: string, stats: BigIntStats): DescriptorFacts["type"] {
  if (target.startsWith("/memfd:")) return "memfd";
  if (stats.isFIFO()) return "pipe";
  if (stats.isDirectory()) return "directory";
  if (stats.isCharacterDevice() || stats.isBlockDevice())
    return terminal.test(target) || target.includes("/pts/") ? "tty" : "device";
  // A namespace held open (`net:[4026531840]`) says it is a regular file.
  return stats.isFile() && target.startsWith("/") ? "file" : "other";
}

type DescriptorInfo = NonNullable<ReturnType<typeof parseDescriptorInfo>>;

/** What is needed of `/proc/PID/fdinfo/FD`; flags are octal there. `null`: it has gone. (proc_pid_fdinfo(5)) */
export function parseDescriptorInfo(text: string) {
  if (text === "") return null;
  let [position, flags, mountId] = [0, 0, -1];
  let ttyIndex: number | null = null;
  const locks: string[] = [];
  for (const line of text.split("\n")) {
    const value = line.slice(line.indexOf(":") + 1).trim();
    if (line.startsWith("pos:")) position = Number(value);
    else if (line.startsWith("flags:")) flags = Number.parseInt(value, 8);
    else if (line.startsWith("mnt_id:")) mountId = Number(value);
    else if (line.startsWith("tty-index:")) ttyIndex = Number(value);
    else if (line.startsWith("lock:")) locks.push(value);
  }
  return { position, flags, mountId, ttyIndex, locks };
}
